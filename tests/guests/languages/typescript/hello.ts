enum Answer { Right = 42 }
const answer: Answer = Answer.Right;
console.log(answer satisfies number)