const g: string = process.env.GREETING ?? "none";
console.log(g, process.env.PATH);
