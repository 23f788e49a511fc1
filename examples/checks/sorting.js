const rows = ["b1", "a1", "b2", "a2"];
rows.sort((left, right) => left.charCodeAt(0) - right.charCodeAt(0));
console.log(rows.join(" "));
