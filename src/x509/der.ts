/** One DER element (X.690). */
export interface DerElement {
  /** The identifier octet (X.690 §8.1.2): class, form and number. */
  readonly tag: number;
  readonly content: Buffer;
  /** The whole element, tag and length included. */
  readonly encoded: Buffer;
}

/**
 * Reads consecutive DER elements. Throws for other encodings, such as a length that is indefinite
 * or not the shortest, and for tags of several bytes, which do not occur in certificates.
 */
export function readDer(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let start = 0; start < bytes.length; ) {
    const [tag = 0, first] = bytes.subarray(start);
    if (first === undefined || (tag & 0x1f) === 0x1f) throw new Error('not DER');
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const from = start + 2 + lengthBytes;
    const length =
      lengthBytes === 0 ? first : longLength(bytes.subarray(start + 2, from), lengthBytes);
    if (first === 0x80 || from + length > bytes.length) throw new Error('not DER');
    elements.push({
      tag,
      content: bytes.subarray(from, from + length),
      encoded: bytes.subarray(start, from + length),
    });
    start = from + length;
  }
  return elements;
}

function longLength(bytes: Buffer, count: number): number {
  if (bytes.length !== count || count > 4) throw new Error('not DER');
  const length = bytes.readUIntBE(0, count);
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new Error('not DER');
  return length;
}
