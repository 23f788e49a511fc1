const n: number = 'ok' as any;
const m: string = 5;
console.log(n)