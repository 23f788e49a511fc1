// A client with the types that openapi-typescript made of our document. Prints JSON.
import type { paths } from "./api";

declare const process: { argv: string[] };

type Submit = paths["/api/submit"]["post"];
type Program = Submit["requestBody"]["content"]["application/json"];
type Finished = Submit["responses"]["200"]["content"]["application/json"];
type Endpoint = paths["/api/webhooks"]["post"]["requestBody"]["content"]["application/json"];

// Fields with a default may be left out; the others may not.
const program: Program = { language: "python", code: "print(6 * 7)" };
// @ts-expect-error: a program has a language
const withoutLanguage: Program = { code: "print(6 * 7)" };
// @ts-expect-error: a webhook endpoint has a URL
const withoutUrl: Endpoint = {};
void [withoutLanguage, withoutUrl];

const [baseUrl, apiKey] = process.argv.slice(2) as [string, string];
const answer = await fetch(`${baseUrl}/api/submit?wait=true`, {
  method: "POST",
  headers: { "content-type": "application/json", "x-api-key": apiKey },
  body: JSON.stringify(program),
});
const finished = (await answer.json()) as Finished;
console.log(JSON.stringify({ verdict: finished.result.verdict, stdout: finished.output.stdout }));
