// expect: AC TLE MLE RE
// attack: T20 huge_generated_type: types that would take a checker for ever, and that must cost nothing here
// alone: types are dropped, not checked; there is no control to take away
type Pair<T> = [T, T];
type Level1 = Pair<Pair<Pair<Pair<number>>>>;
type Level2 = Pair<Pair<Pair<Pair<Level1>>>>;
type Level3 = Pair<Pair<Pair<Pair<Level2>>>>;
type Level4 = Pair<Pair<Pair<Pair<Level3>>>>;
type Repeat<T, N extends number, A extends T[] = []> = A["length"] extends N ? A : Repeat<T, N, [...A, T]>;
const value: Repeat<Level4, 999> | null = null;
console.log(value);
