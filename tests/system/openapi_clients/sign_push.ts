// Signs the text of the second argument with the secret of the first, as GitHub's own package does.
import { Webhooks } from "@octokit/webhooks";

const [secret, body] = process.argv.slice(2);
const webhooks = new Webhooks({ secret });
const signature = await webhooks.sign(body);
if (!(await webhooks.verify(body, signature))) throw new Error("the package refuses its own signature");
console.log(signature);
