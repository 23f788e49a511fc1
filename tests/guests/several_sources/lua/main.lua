local area = require("lib.area")
print(area(6, 7))
