// expect: AC
// attack: T29 host_name: learns the host's name
// control: uts_namespace
if (require("os").hostname() !== "rustbox-sandbox") console.log("ESCAPED the host is", require("os").hostname());
