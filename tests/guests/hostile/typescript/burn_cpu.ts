// expect: TLE
// attack: T17 burn_cpu: counts prime numbers without end
// control: cpu_limit
const usedMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) return false;
  return candidate > 1;
}

let primes = 0;
for (let candidate = 1_000_000; usedMs() < 700; candidate += 1000) {
  for (let i = candidate; i < candidate + 1000; i++) if (isPrime(i)) primes++;
}
console.log(`ESCAPED found ${primes} primes in 0.7 s of CPU time`);
