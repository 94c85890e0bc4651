import type { DerElement } from './der.ts';

/** An attribute value prepared for comparison; two values match exactly if these are equal. */
export type ComparableValue = { readonly text: string } | { readonly der: string };

// Characters that RFC 4518 §2.2 to §2.4 delete or prohibit. Deleting them would make `vic\0tim`
// equal to `victim`.
const invisible = /\p{C}|\u034f|\u1806|[\u180b-\u180d]|[\ufe00-\ufe0f]|\ufffc|\ufffd/u;

/**
 * Prepares text for caseIgnoreMatch (RFC 4517 §4.2.11, RFC 4518 §2): it ignores case, compatibility
 * forms and repeated spaces. Undefined for text that is empty or has invisible characters, which is
 * stricter than the RFC.
 */
export function comparableText(text: string): ComparableValue | undefined {
  if (invisible.test(text)) return undefined;
  const folded = text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .replaceAll('ς', 'σ')
    .normalize('NFKC');
  const spaced = folded.replace(/\p{Z}+/gu, ' ').trim();
  return spaced === '' || invisible.test(spaced) ? undefined : { text: spaced };
}

/** The string types of X.520 and X.680 by tag. */
const decoders: Readonly<Record<number, (bytes: Buffer) => string | undefined>> = {
  12: decoder('utf-8'), // UTF8String
  18: ascii, // NumericString
  19: ascii, // PrintableString
  20: ascii, // TeletexString: other bytes are ambiguous
  22: ascii, // IA5String
  28: utf32, // UniversalString
  30: (bytes) => decoder('utf-16be')(bytes), // BMPString
};

/** Prepares a value of a certificate: strings by their text, anything else by its encoding. */
export function comparableDer({ tag, content, encoded }: DerElement): ComparableValue {
  const text = decoders[tag]?.(content);
  return (
    (text === undefined ? undefined : comparableText(text)) ?? { der: encoded.toString('hex') }
  );
}

function decoder(encoding: string) {
  return (bytes: Buffer): string | undefined => {
    try {
      return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return undefined;
    }
  };
}

function ascii(bytes: Buffer): string | undefined {
  return bytes.every((byte) => byte < 0x80) ? bytes.toString('latin1') : undefined;
}

function utf32(bytes: Buffer): string | undefined {
  if (bytes.length % 4 !== 0) return undefined;
  const points = Array.from({ length: bytes.length / 4 }, (_, index) =>
    bytes.readUInt32BE(index * 4),
  );
  return points.some((point) => point > 0x10ffff) ? undefined : String.fromCodePoint(...points);
}
