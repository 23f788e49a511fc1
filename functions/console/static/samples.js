// The first program of each language.

export const SAMPLES = {
  python: 'for number in range(1, 6):\n    print(number, "squared is", number ** 2)\n',
  c: '#include <stdio.h>\n\nint main(void) {\n    puts("Hello, world!");\n    return 0;\n}\n',
  cpp: '#include <iostream>\n\nint main() {\n    std::cout << "Hello, world!\\n";\n}\n',
  java: 'public class Main {\n    public static void main(String[] args) {\n        System.out.println("Hello, world!");\n    }\n}\n',
  javascript: 'console.log("Hello, world!");\n',
  typescript: 'const name: string = "world";\nconsole.log(`Hello, ${name}!`);\n',
  go: 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("Hello, world!")\n}\n',
  rust: 'fn main() {\n    println!("Hello, world!");\n}\n',
  bash: 'for number in {1..5}; do\n  echo "$number squared is $((number * number))"\ndone\n',
};
