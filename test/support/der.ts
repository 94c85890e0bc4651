/** A DER element of these contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = Buffer.concat(contents);
  const { length } = content;
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return new Uint8Array([tag, ...octets, ...content]);
}

/** Tags of the string types, and of one that is none. */
export const tags = {
  utf8: 12,
  numeric: 18,
  printable: 19,
  teletex: 20,
  ia5: 22,
  visible: 26,
  universal: 28,
  bmp: 30,
  bits: 3,
  integer: 2,
  utcTime: 23,
} as const;

const types = {
  CN: '550403',
  O: '55040a',
  OU: '55040b',
  C: '550406',
  serialNumber: '550405',
  UID: '0992268993f22c640101',
  DC: '0992268993f22c640119',
  email: '2a864886f70d010901',
  '1.3.6.1.4.1.99999.1': '2b0601040186' + '8d1f01',
  long: `2b${'81'.repeat(99)}01`,
} as const;

/** One attribute of a name: its type, the tag of its value, and the value. */
export type TestAttribute = readonly [
  type: keyof typeof types,
  tag: keyof typeof tags,
  value: string | readonly number[],
];

/** The DER of a name: relative names in the order of the certificate, each a set of attributes. */
export function derName(
  ...relatives: readonly (readonly TestAttribute[])[]
): Uint8Array<ArrayBuffer> {
  const attribute = ([type, tag, value]: TestAttribute) =>
    der(
      0x30,
      der(6, Buffer.from(types[type], 'hex')),
      der(
        tags[tag],
        typeof value === 'string' ? Buffer.from(value, 'utf8') : Uint8Array.from(value),
      ),
    );
  return der(0x30, ...relatives.map((relative) => der(0x31, ...relative.map(attribute))));
}
