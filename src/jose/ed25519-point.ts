// Field and curve constants of RFC 8032 §5.1.
const p = 2n ** 255n - 19n;
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** y of the points of order 1, 2, 4 and 8; one signature with such a key fits many messages. */
const smallOrderY: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  p - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

/** Whether 32 bytes canonically encode a point that is not of small order (RFC 8032 §5.1.3). */
export function isSafeEd25519Point(bytes: Buffer): boolean {
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & (2n ** 255n - 1n);
  if (y >= p || smallOrderY.has(y)) return false;
  const yy = (y * y) % p;
  const u = (yy - 1n + p) % p;
  const v = (d * yy + 1n) % p;
  // u/v is a square exactly when u*v is; Euler's criterion decides.
  return power((u * v) % p, (p - 1n) / 2n) === 1n;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % p) {
    if (rest & 1n) result = (result * square) % p;
  }
  return result;
}
