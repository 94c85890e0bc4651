import { type ComparableValue, comparableDer, comparableText } from './attribute-value.ts';
import { type DerElement, readDer } from './der.ts';

/**
 * A distinguished name in the order of the certificate; of each relative name its attributes in a
 * form that can be compared, sorted, for they are a set.
 */
export type DistinguishedName = readonly (readonly string[])[];

/**
 * Object identifiers of attribute types by the names that tools print (RFC 4514 §3, RFC 4519,
 * OpenSSL); without case (RFC 4512 §1.4).
 */
const attributeTypes: Readonly<Record<string, readonly string[]>> = {
  '2.5.4.3': ['cn', 'commonname'],
  '2.5.4.4': ['sn', 'surname'],
  '2.5.4.5': ['serialnumber'],
  '2.5.4.6': ['c', 'countryname'],
  '2.5.4.7': ['l', 'localityname'],
  '2.5.4.8': ['st', 'stateorprovincename'],
  '2.5.4.9': ['street', 'streetaddress'],
  '2.5.4.10': ['o', 'organizationname'],
  '2.5.4.11': ['ou', 'organizationalunitname'],
  '2.5.4.12': ['t', 'title'],
  '2.5.4.13': ['description'],
  '2.5.4.15': ['businesscategory'],
  '2.5.4.17': ['postalcode'],
  '2.5.4.41': ['name'],
  '2.5.4.42': ['g', 'gn', 'givenname'],
  '2.5.4.43': ['i', 'initials'],
  '2.5.4.44': ['generationqualifier'],
  '2.5.4.46': ['dnqualifier'],
  '2.5.4.65': ['pseudonym'],
  '2.5.4.97': ['organizationidentifier'],
  '0.9.2342.19200300.100.1.1': ['uid', 'userid'],
  '0.9.2342.19200300.100.1.25': ['dc', 'domaincomponent'],
  '1.2.840.113549.1.9.1': ['e', 'emailaddress'],
};
const identifiers = new Map(
  Object.entries(attributeTypes).flatMap(([oid, names]) =>
    names.map((name) => [name, oid] as const),
  ),
);

// One `type=value` and what follows it: a value in hexadecimal, in quotes (RFC 2253 §4) or plain,
// with
// blanks around, as tools print it. A blank is read in one way only, between two characters of a
// value
// or outside of it: a text that is no name costs no more than one that is.
const escaped = String.raw`\\(?:[0-9a-f]{2}|[ #="+,;<>\\])`;
const visible = String.raw`(?:${escaped}|[^\\"+,;<>\0 ])`;
const attribute = new RegExp(
  [
    String.raw` *(?:oid\.)?([a-z][a-z0-9-]*|\d+(?:\.\d+)+) *= *(?! )`,
    String.raw`(?:#((?:[0-9a-f]{2})+)|"((?:${escaped}|[^"\\\0])*)"|(?!#)((?:${visible}(?: *${visible})*)?))`,
    ` *([,+]|$)`,
  ].join(''),
  'iuy',
);

/**
 * Reads a name in the string form of RFC 4514, which begins with the last relative name. Undefined
 * for anything else, and for a value that is empty.
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  const name: string[][] = [];
  let separator: string | undefined = ',';
  for (attribute.lastIndex = 0; separator !== ''; ) {
    const [, type = '', hex, quoted, plain, next] = attribute.exec(text) ?? [];
    const oid = /^\d/.test(type) ? type : identifiers.get(type.toLowerCase());
    const value = hex === undefined ? unescaped(quoted ?? plain ?? '') : fromHex(hex);
    if (oid === undefined || value === undefined) return undefined;
    if (separator === ',') name.push([]);
    name.at(-1)?.push(comparable(oid, value));
    separator = next;
  }
  return name.map((relative) => relative.sort()).reverse();
}

/** Reads the name in a certificate. Throws for anything but DER. */
export function readDistinguishedName(name: Buffer): DistinguishedName {
  return readDer(name).map(({ content: relative }) =>
    readDer(relative)
      .map(({ content }) => {
        const [type, value] = readDer(content);
        if (type === undefined || value === undefined) throw new Error('not an attribute');
        return comparable(objectIdentifier(type), comparableDer(value));
      })
      .sort(),
  );
}

/**
 * distinguishedNameMatch (RFC 4517 §4.2.15). RFC 4514 §2.1 has the relative names from the last to
 * the first, yet many tools print them in the order of
 * the certificate: either will do.
 */
export function sameName(one: DistinguishedName, other: DistinguishedName | undefined): boolean {
  if (one.length === 0 || other === undefined) return false;
  const text = JSON.stringify(one);
  return text === JSON.stringify(other) || text === JSON.stringify([...other].reverse());
}

function comparable(oid: string, value: ComparableValue): string {
  return JSON.stringify([oid, value]);
}

function unescaped(value: string): ComparableValue | undefined {
  try {
    return comparableText(
      value.replace(
        /((?:\\[0-9a-f]{2})+)|\\(.)/giu,
        (_, pairs: string | undefined, character: string) =>
          pairs === undefined ? character : decodeURIComponent(pairs.replaceAll('\\', '%')),
      ),
    );
  } catch {
    return undefined;
  }
}

/** RFC 4514 §2.4: `#` and the encoding of the value. */
function fromHex(hex: string): ComparableValue | undefined {
  try {
    const [value, ...more] = readDer(Buffer.from(hex, 'hex'));
    return value === undefined || more.length > 0 ? undefined : comparableDer(value);
  } catch {
    return undefined;
  }
}

/**
 * Octets of an object identifier; one that is made of a UUID (X.667) has 20, and long numbers cost
 * the square of their length.
 */
const maxIdentifierLength = 64;

/** The dotted form (X.690 §8.19). */
function objectIdentifier({ tag, content }: DerElement): string {
  if (tag !== 6 || content.length > maxIdentifierLength)
    throw new Error('not an object identifier');
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of content) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [head = 0n, ...rest] = arcs;
  const root = head < 80n ? head / 40n : 2n;
  return [root, head - root * 40n, ...rest].join('.');
}
