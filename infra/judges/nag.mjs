// cdk-nag over CloudFormation templates: writes [template, resource, rule, text] for each finding of two packs.
import { App, Stack } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import path from "node:path";

const app = new App({ analyticsReporting: false });
const found = [];
for (const templateFile of process.argv.slice(2)) {
  const name = path.basename(templateFile, ".json");
  const stack = new Stack(app, name.replaceAll("_", "-"));
  new CfnInclude(stack, "Template", { templateFile, preserveLogicalIds: true });
  for (const pack of [new AwsSolutionsChecks(app), new ServerlessChecks(app)]) {
    for (const violation of pack.validateScope(stack).violations) {
      for (const resource of violation.violatingResources) {
        found.push([name, resource.constructPath.split("/").pop(), violation.ruleName, violation.description]);
      }
    }
  }
}
process.stdout.write(JSON.stringify(found));
