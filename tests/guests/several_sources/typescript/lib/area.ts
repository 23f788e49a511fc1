export const area = (a: number, b: number): number => a * b;
