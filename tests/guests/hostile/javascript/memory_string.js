// expect: MLE
// attack: T16 memory_string: a string that doubles until it does not fit
// control: memory_limit
let text = "0123456789abcdef";
while (text.length < 1 << 28) text += text;
// The engine joins the parts only when somebody looks.
console.log("ESCAPED joined", new TextEncoder().encode(text).length, "characters");
