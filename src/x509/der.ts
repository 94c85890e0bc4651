/** One DER element (X.690). */
export interface DerElement {
  /** The identifier octet: class, form and number in one. */
  readonly tag: number;
  readonly content: Buffer;
  /** The whole element, tag and length included. */
  readonly encoded: Buffer;
}

/**
 * The elements that follow each other in these octets. Throws for anything but DER: two spellings of one length, an indefinite length,
 * an element that is cut off. Tags of several octets do not occur in certificates.
 */
export function readDer(octets: Buffer): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let start = 0; start < octets.length; ) {
    const [tag = 0, first] = octets.subarray(start);
    if (first === undefined || (tag & 0x1f) === 0x1f) throw new Error('not DER');
    const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
    const from = start + 2 + lengthOctets;
    const length =
      lengthOctets === 0 ? first : longLength(octets.subarray(start + 2, from), lengthOctets);
    if (first === 0x80 || from + length > octets.length) throw new Error('not DER');
    elements.push({
      tag,
      content: octets.subarray(from, from + length),
      encoded: octets.subarray(start, from + length),
    });
    start = from + length;
  }
  return elements;
}

function longLength(octets: Buffer, count: number): number {
  if (octets.length !== count || count > 4) throw new Error('not DER');
  const length = octets.readUIntBE(0, count);
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new Error('not DER');
  return length;
}
