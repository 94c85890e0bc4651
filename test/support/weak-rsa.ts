// The primes of the fingerprint (CVE-2017-15361), written here again so that the test does not lean on the code.
const primes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/** An odd number of 2048 bits, base64url, with the fingerprint of ROCA: a power of 65537 modulo every one of these primes. */
export function rocaModulus(): string {
  const product = primes.reduce((all, prime) => all * BigInt(prime), 1n);
  const residue = 65537n ** 5n % product;
  const start = 2n ** 2047n + 2n ** 2000n;
  const candidate = start - (start % product) + residue + product;
  const modulus = candidate % 2n === 1n ? candidate : candidate + product;
  return Buffer.from(modulus.toString(16), 'hex').toString('base64url');
}
