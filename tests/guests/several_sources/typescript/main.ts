import { area } from "./lib/area";
console.log(area(6, 7));
