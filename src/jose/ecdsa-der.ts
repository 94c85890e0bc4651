/**
 * An ECDSA signature in DER, for curves of up to 384 bits: two INTEGERs in a SEQUENCE
 * (RFC 3279 §2.2.3), of which every length fits in one byte. `signature` is r‖s (RFC 7518 §3.4).
 */
export function ecdsaToDer(signature: Buffer): Buffer {
  const size = signature.length / 2;
  const [r, s] = [integerLength(signature, 0, size), integerLength(signature, size, size)];
  const der = Buffer.alloc(6 + r + s);
  der[0] = 0x30;
  der[1] = 4 + r + s;
  writeInteger(der, 2, r, signature, size);
  writeInteger(der, 4 + r, s, signature, 2 * size);
  return der;
}

/** The ECDSA signature r‖s of `length` bytes that this DER encodes. */
export function ecdsaFromDer(der: Buffer, length: number): Buffer {
  const result = Buffer.alloc(length);
  const rLength = der[3] ?? 0;
  const s = 4 + rLength;
  readInteger(der, 4, rLength, result, length / 2);
  readInteger(der, s + 2, der[s + 1] ?? 0, result, length);
  return result;
}

/** Bytes of the shortest INTEGER for the number at `start`; a set sign bit needs one more. */
function integerLength(signature: Buffer, start: number, size: number): number {
  let first = start;
  while (first < start + size - 1 && signature[first] === 0) first++;
  return start + size - first + ((signature[first] ?? 0) >> 7);
}

/** Writes the number that ends before `end` into `der`, which is all zeros. */
function writeInteger(der: Buffer, at: number, length: number, from: Buffer, end: number): void {
  der[at] = 0x02;
  der[at + 1] = length;
  const digits = Math.min(length, from.length / 2);
  from.copy(der, at + 2 + length - digits, end - digits, end);
}

/** Copies an INTEGER right-aligned before `end`, without the zero byte before a sign bit. */
function readInteger(der: Buffer, start: number, length: number, to: Buffer, end: number): void {
  const skip = Math.max(length - to.length / 2, 0);
  der.copy(to, end - (length - skip), start + skip, start + length);
}
