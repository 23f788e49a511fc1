"""Small TypeScript programs, one for each case: JavaScript is TypeScript, so only some are written with types."""

from tests.jail.language_programs import javascript

PROGRAMS = javascript.PROGRAMS | {
    "hello": "enum Answer { Right = 42 }\nconst answer: Answer = Answer.Right;\nconsole.log(answer satisfies number)",
    "echo": "import { readFileSync, writeSync } from 'fs';\nconst data: Buffer = readFileSync(0);\nwriteSync(1, data);",
    "unicode": 'const größe: string = "Привет, 世界 🎉"; console.log(größe)',
    "throw": "interface A { n: number }\nconsole.log('before');\nthrow new Error('broken' as string)\n",
    # Types are dropped, not checked.
    "warning": "const n: number = 'ok' as any;\nconst m: string = 5;\nconsole.log(n)",
    "broken": "console.log('never');\n\nconst x: number = = 1;\n",
}
