// Runs a program with the published client of Piston, which takes nothing but a URL; prints what it got as JSON.
// Arguments: the folder of the packages, and the URL.
const [folder, server] = process.argv.slice(2);
const { default: piston } = await import(`${folder}/piston-client/index.js`);
const client = piston({ server });
const ran = await client.execute({
  language: "python",
  files: [{ content: "import sys; print(input(), sys.argv[1:])" }],
  stdin: "42",
  args: ["a"],
  runTimeout: 20000,
});
const runtimes = await client.runtimes();
console.log(JSON.stringify({ ran, languages: runtimes.map((one) => one.language).sort() }));
