// The same request for other programs. The key is read from RUSTBOX_API_KEY, so that a copied text holds no secret.
import { ROOT } from "./api.js";
import { Component, html } from "./dom.js";
import { Copy } from "./parts.js";

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl(body) {
  return [
    `curl -s ${quoted(`${new URL("api/submit", ROOT)}?wait=true`)} \\`,
    `  -H "X-API-Key: $RUSTBOX_API_KEY" -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(JSON.stringify(body, null, 2))}`,
  ].join("\n");
}

function python(body) {
  // Texts and numbers are written alike in JSON and in Python.
  return `import json
import os
import urllib.request

body = ${JSON.stringify(body, null, 4)}
request = urllib.request.Request(
    ${JSON.stringify(`${new URL("api/submit", ROOT)}?wait=true`)},
    data=json.dumps(body).encode(),
    headers={"X-API-Key": os.environ["RUSTBOX_API_KEY"], "Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=40) as response:
    result = json.load(response)
print(result["verdict"], result["stdout"])
`;
}

function typescript(body) {
  return `const response = await fetch(${JSON.stringify(`${new URL("api/submit", ROOT)}?wait=true`)}, {
  method: "POST",
  headers: { "X-API-Key": process.env.RUSTBOX_API_KEY ?? "", "Content-Type": "application/json" },
  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")}),
});
const result = await response.json();
console.log(result.verdict, result.stdout);
`;
}

const SNIPPETS = [
  { name: "curl", write: curl },
  { name: "Python", write: python },
  { name: "TypeScript", write: typescript },
];

/** A drawer with the request in each form. */
export class Snippets extends Component {
  state = { name: SNIPPETS[0].name };

  render({ body }, { name }) {
    const text = SNIPPETS.find((each) => each.name === name).write(body);
    return html`<details class="snippets"><summary>Copy as curl, Python or TypeScript</summary>
      <div class="row" role="group" aria-label="Form">${SNIPPETS.map(
        (each) =>
          html`<button class="small" aria-pressed=${each.name === name} onClick=${() => this.setState({ name: each.name })}>${each.name}</button>`,
      )}
        <${Copy} text=${text} /></div>
      <pre class="output" tabindex="0" role="region" aria-label="Request as ${name}">${text}</pre></details>`;
  }
}
