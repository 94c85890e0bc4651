import { type ComparableValue, comparableDer, comparableText } from './attribute-value.ts';
import { type DerElement, readDer } from './der.ts';

/** Relative names in the order of the certificate, each a sorted set of comparable attributes. */
export type DistinguishedName = readonly (readonly string[])[];

/** Attribute types by object identifier, with lowercase names (RFC 4514 §3, RFC 4519, OpenSSL). */
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

// One `type=value` and its separator. The value is hexadecimal, quoted (RFC 2253 §4) or plain, and
// spaces may surround it. Each space can match in one way only, so that matching takes linear time.
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
 * Parses a name in the string form of RFC 4514, which begins with the last relative name. Undefined
 * if it is malformed or a value is empty.
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

/** Reads the name in a certificate. Throws if it is not DER. */
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
 * distinguishedNameMatch (RFC 4517 §4.2.15) in either order: RFC 4514 §2.1 writes the last relative
 * name first, but many tools print the order of the certificate.
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

/** A value written as `#` and its encoding (RFC 4514 §2.4). */
function fromHex(hex: string): ComparableValue | undefined {
  try {
    const [value, ...more] = readDer(Buffer.from(hex, 'hex'));
    return value === undefined || more.length > 0 ? undefined : comparableDer(value);
  } catch {
    return undefined;
  }
}

/** Bytes; one made from a UUID (X.667) has 20, and parsing takes quadratic time. */
const maxIdentifierLength = 64;

/** The dotted form (X.690 §8.19). */
function objectIdentifier({ tag, content }: DerElement): string {
  if (tag !== 6 || content.length > maxIdentifierLength)
    throw new Error('not an object identifier');
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [head = 0n, ...rest] = arcs;
  const root = head < 80n ? head / 40n : 2n;
  return [root, head - root * 40n, ...rest].join('.');
}
