import { area } from "./lib/area.js";
console.log(area(6, 7));
