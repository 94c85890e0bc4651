import type { DerElement } from './der.ts';

/** What two attribute values of a name are compared by; equal exactly when they match. */
export type ComparableValue = { readonly text: string } | { readonly der: string };

// Characters that RFC 4518 §2.2 to §2.4 leave out, or that no name may have. Left out, they would make `vic\0tim` the same as `victim`.
const invisible = /\p{C}|\u034f|\u1806|[\u180b-\u180d]|[\ufe00-\ufe0f]|\ufffc|\ufffd/u;

/**
 * A text prepared for caseIgnoreMatch (RFC 4517 §4.2.11, RFC 4518 §2): without regard to case, to Unicode's compatible spellings and to the number of
 * spaces. Undefined for a text that is empty or has a character that nobody sees: stricter than the RFC, so that no such text matches another.
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
const decoders: Readonly<Record<number, (octets: Buffer) => string | undefined>> = {
  12: decoder('utf-8'), // UTF8String
  18: ascii, // NumericString
  19: ascii, // PrintableString
  20: ascii, // TeletexString: what its other octets mean nobody agrees on
  22: ascii, // IA5String
  28: utf32, // UniversalString
  30: (octets) => decoder('utf-16be')(octets), // BMPString
};

/** A value as it stands in a certificate: strings of any type by their text, all else, malformed strings included, by its octets. */
export function comparableDer({ tag, content, encoded }: DerElement): ComparableValue {
  const text = decoders[tag]?.(content);
  return (
    (text === undefined ? undefined : comparableText(text)) ?? { der: encoded.toString('hex') }
  );
}

function decoder(encoding: string) {
  return (octets: Buffer): string | undefined => {
    try {
      return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(octets);
    } catch {
      return undefined;
    }
  };
}

function ascii(octets: Buffer): string | undefined {
  return octets.every((octet) => octet < 0x80) ? octets.toString('latin1') : undefined;
}

function utf32(octets: Buffer): string | undefined {
  if (octets.length % 4 !== 0) return undefined;
  const points = Array.from({ length: octets.length / 4 }, (_, index) =>
    octets.readUInt32BE(index * 4),
  );
  return points.some((point) => point > 0x10ffff) ? undefined : String.fromCodePoint(...points);
}
