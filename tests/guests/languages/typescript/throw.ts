interface A { n: number }
console.log('before');
throw new Error('broken' as string)
