import { JoseError } from './jose-error.ts';

// The flawed generator of CVE-2017-15361 (ROCA) makes moduli that are powers of 65537 modulo each
// of these primes.
const rocaPrimes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

const rocaResidues = rocaPrimes.map((prime) => {
  const residues = new Set<number>();
  for (let power = 1; !residues.has(power); power = (power * 65537) % prime) residues.add(power);
  return { prime: BigInt(prime), residues };
});

/**
 * Refuses a modulus that is even, has a leading zero byte, has fewer than 2048 or more than
 * `maxBits` bits, or comes from the ROCA generator. Throws JoseError.
 */
export function checkRsaKey(modulus: Buffer, maxBits = 4096): void {
  const leading = modulus[0] ?? 0;
  const bits = modulus.length * 8 - Math.clz32(leading) + 24;
  if (leading === 0 || bits < 2048 || bits > maxBits || (modulus.at(-1) ?? 0) % 2 === 0)
    throw new JoseError('rsa_modulus', 'n');
  const n = BigInt(`0x${modulus.toString('hex')}`);
  if (rocaResidues.every(({ prime, residues }) => residues.has(Number(n % prime))))
    throw new JoseError('rsa_roca', 'n');
}
