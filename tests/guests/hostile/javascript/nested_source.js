// expect: RE SIG MLE TLE
// attack: T20 nested_source: source that is nested deeper than the parser goes
// alone: the parser's own bound ends it, in a jail or not
console.log("begin");
console.log(eval("[".repeat(3_000_000)));
