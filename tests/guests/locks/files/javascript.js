import { Database } from "bun:sqlite";
const database = new Database("/tmp/data.db");
database.run("PRAGMA journal_mode = WAL");
database.run("CREATE TABLE numbers (number)");
database.run("INSERT INTO numbers VALUES (7)");
if (new Database("/tmp/data.db").query("SELECT number FROM numbers").get().number === 7) console.log("ok");
