import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  certificate,
  type TestCertificate,
} from '../support/certificates.ts';
import { der, derName } from '../support/der.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

let fixture: TokenEndpointFixture;
let ca: TestCertificate;
beforeAll(async () => {
  fixture = await tokenEndpointFixture({
    env: { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: '127.0.0.0/8, ::1/128' },
  });
  await fixture.server.admin('POST', 'resource-servers', {
    audience: 'https://mtls.example.com',
    cnf_methods_supported: ['x5t#S256'],
  });
  ca = await certificate({ subject: 'CN=clients', ca: true });
});
afterAll(async () => fixture.server.stop());

let counter = 0;
async function register(members: object) {
  const client_id = `named-${counter++}`;
  const { status, body } = await fixture.server.admin('POST', 'clients', {
    client_id,
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_certificate_bound_access_tokens: true,
    ...members,
  });
  return { client_id, status, member: body.member };
}

/** What a client that is registered by this name gets with this certificate. */
async function outcome(registered: object, options: CertificateOptions): Promise<string> {
  const { client_id, status } = await register(registered);
  expect(status).toBe(201);
  const { pem } = await certificate({ issuer: ca, ...options });
  return fixture.outcome({
    authorization: null,
    dpop: null,
    form: { grant_type: 'client_credentials', resource: 'https://mtls.example.com', client_id },
    fields: [
      ['x-ssl-client-cert', encodeURIComponent(pem)],
      ['x-ssl-client-verify', 'SUCCESS'],
    ],
  });
}
const known = '200 x5t#S256';
const unknown = '401 invalid_client';

const utf16 = (text: string) => [...Buffer.from(text, 'utf16le').swap16()];
const utf32 = (text: string) =>
  Array.from(text, (character) => [0, 0, 0, character.codePointAt(0) ?? 0]).flat();
const device = derName([['CN', 'utf8', 'device']]);
type DnRow = readonly [title: string, registered: string, subject: Uint8Array<ArrayBuffer>];

describe('RFC 8705 §2.1.2, tls_client_auth_subject_dn: distinguishedNameMatch (RFC 4517 §4.2.15)', () => {
  const matching: readonly DnRow[] = [
    ['PrintableString', 'CN=device', derName([['CN', 'printable', 'device']])],
    ['UTF8String', 'CN=device', device],
    ['BMPString', 'CN=device', derName([['CN', 'bmp', utf16('device')]])],
    ['UniversalString', 'CN=device', derName([['CN', 'universal', utf32('device')]])],
    ['TeletexString of ASCII', 'CN=device', derName([['CN', 'teletex', 'device']])],
    ['NumericString', 'serialNumber=123', derName([['serialNumber', 'numeric', '123']])],
    ['IA5String', 'emailAddress=a@example.com', derName([['email', 'ia5', 'a@example.com']])],
    ['letters beyond ASCII, UTF8String', 'CN=Zoë', derName([['CN', 'utf8', 'Zoë']])],
    ['letters beyond ASCII, BMPString', 'CN=Zoë', derName([['CN', 'bmp', utf16('Zoë')]])],
    ['letters beyond ASCII in other case', 'CN=ÅSA', derName([['CN', 'utf8', 'åsa']])],
    ['letters composed and decomposed', 'CN=\u00e5sa', derName([['CN', 'utf8', 'a\u030asa']])],
    ['ss for ß, as case folding has it', 'CN=STRASSE', derName([['CN', 'utf8', 'Straße']])],
    ['letters as hex pairs', 'CN=Zo\\C3\\AB', derName([['CN', 'utf8', 'Zoë']])],
    ['hex pairs of ASCII', 'CN=\\64\\65vice', device],
    ['a comma with a backslash', 'CN=a\\,b', derName([['CN', 'utf8', 'a,b']])],
    ['a comma as a hex pair', 'CN=a\\2cb', derName([['CN', 'utf8', 'a,b']])],
    ['a comma in quotes', 'CN="a,b"', derName([['CN', 'utf8', 'a,b']])],
    ['a plus with a backslash', 'CN=a\\+b', derName([['CN', 'utf8', 'a+b']])],
    ['quotes with a backslash', 'CN=\\"a\\"', derName([['CN', 'utf8', '"a"']])],
    ['quotes inside quotes', 'CN="\\"a\\""', derName([['CN', 'utf8', '"a"']])],
    ['a backslash', 'CN=a\\\\b', derName([['CN', 'utf8', 'a\\b']])],
    [
      'a backslash before what looks like a hex pair',
      'CN=a\\\\41',
      derName([['CN', 'utf8', 'a\\41']]),
    ],
    ['semicolon and angle brackets', 'CN=a\\;\\<b\\>', derName([['CN', 'utf8', 'a;<b>']])],
    ['an equals sign in the value', 'CN=a=b', derName([['CN', 'utf8', 'a=b']])],
    ['a number sign inside', 'CN=a#b', derName([['CN', 'utf8', 'a#b']])],
    [
      'a number sign in front, with a backslash',
      'CN=\\#0c0161',
      derName([['CN', 'utf8', '#0c0161']]),
    ],
    ['a value in hexadecimal', 'CN=#0c06646576696365', device],
    ['a value in hexadecimal, of another string type', 'CN=#1306646576696365', device],
    ['the type by its number', '2.5.4.3=device', device],
    ['the type by its number, the value in hexadecimal', '2.5.4.3=#0c06646576696365', device],
    ['the type by its number with a prefix', 'OID.2.5.4.3=device', device],
    ['the type in other case', 'cN=device', device],
    ['the long name of the type', 'commonName=device', device],
    [
      'UID and DC',
      'UID=device,DC=example,DC=com',
      derName([['DC', 'ia5', 'com']], [['DC', 'ia5', 'example']], [['UID', 'utf8', 'device']]),
    ],
    [
      'a type without a name',
      '1.3.6.1.4.1.99999.1=#0c0161',
      derName([['1.3.6.1.4.1.99999.1', 'utf8', 'a']]),
    ],
    ['a value that is no string', 'CN=#03020001', derName([['CN', 'bits', [0, 1]]])],
    [
      'blanks around everything',
      ' CN = device , O = x ',
      derName([['O', 'utf8', 'x']], [['CN', 'utf8', 'device']]),
    ],
    ['blanks at the ends, with a backslash', 'CN=\\ device\\20', device],
    ['blanks at the ends in the certificate', 'CN=device', derName([['CN', 'utf8', '  device ']])],
    ['blanks inside in another number', 'CN=my  device', derName([['CN', 'utf8', 'my device']])],
    ['a no-break space for a blank', 'CN=my device', derName([['CN', 'utf8', 'my\u00a0device']])],
    [
      'a relative name of two',
      'CN=device+UID=7',
      derName([
        ['CN', 'utf8', 'device'],
        ['UID', 'utf8', '7'],
      ]),
    ],
    [
      'a relative name of two in other order',
      'UID=7 + CN=device',
      derName([
        ['CN', 'utf8', 'device'],
        ['UID', 'utf8', '7'],
      ]),
    ],
    [
      'a relative name of two twice the same type',
      'OU=b+OU=a',
      derName([
        ['OU', 'utf8', 'a'],
        ['OU', 'utf8', 'b'],
      ]),
    ],
    [
      'relative names in the order of the certificate',
      'O=x,CN=device+UID=7',
      derName(
        [['O', 'utf8', 'x']],
        [
          ['UID', 'utf8', '7'],
          ['CN', 'utf8', 'device'],
        ],
      ),
    ],
  ];
  it.each(matching)('the same: %s', async (_, registered, subject) => {
    expect(await outcome({ tls_client_auth_subject_dn: registered }, { subject })).toBe(known);
  });

  const differing: readonly DnRow[] = [
    ['another type', 'O=device', device],
    [
      'one relative name more in the certificate',
      'CN=device',
      derName([['O', 'utf8', 'x']], [['CN', 'utf8', 'device']]),
    ],
    ['one relative name less in the certificate', 'CN=device,O=x', device],
    [
      'one attribute more in a relative name',
      'CN=device',
      derName([
        ['CN', 'utf8', 'device'],
        ['UID', 'utf8', '7'],
      ]),
    ],
    [
      'two relative names for a relative name of two',
      'CN=device+UID=7',
      derName([['CN', 'utf8', 'device']], [['UID', 'utf8', '7']]),
    ],
    [
      'a relative name of two for two relative names',
      'CN=device,UID=7',
      derName([
        ['CN', 'utf8', 'device'],
        ['UID', 'utf8', '7'],
      ]),
    ],
    [
      'relative names in a third order',
      'CN=a,O=b,OU=c',
      derName([['O', 'utf8', 'b']], [['CN', 'utf8', 'a']], [['OU', 'utf8', 'c']]),
    ],
    ['a whole name inside one value', 'CN=device,O=x', derName([['CN', 'utf8', 'device,O=x']])],
    [
      'a whole name inside one value, as tools print it',
      'CN=device, O=x',
      derName([['CN', 'utf8', 'device, O=x']]),
    ],
    [
      'text that spells a value in hexadecimal',
      'CN=#0c06646576696365',
      derName([['CN', 'utf8', '#0c06646576696365']]),
    ],
    [
      'text that spells a value that is no string',
      'CN=#03020001',
      derName([['CN', 'utf8', '#03020001']]),
    ],
    [
      'a value that is no string, for its spelling',
      'CN=\\#03020001',
      derName([['CN', 'bits', [0, 1]]]),
    ],
    ['a blank inside one of two', 'CN=mydevice', derName([['CN', 'utf8', 'my device']])],
    ['a zero octet inside', 'CN=device', derName([['CN', 'utf8', 'dev\0ice']])],
    ['a zero octet behind', 'CN=device', derName([['CN', 'utf8', 'device\0']])],
    ['a soft hyphen inside', 'CN=device', derName([['CN', 'utf8', 'dev\u00adice']])],
    ['a zero width space inside', 'CN=device', derName([['CN', 'utf8', 'dev\u200bice']])],
    ['a right-to-left mark inside', 'CN=device', derName([['CN', 'utf8', 'dev\u200fice']])],
    ['a variation selector behind', 'CN=device', derName([['CN', 'utf8', 'device\ufe0f']])],
    [
      'a Cyrillic letter that looks the same',
      'CN=device',
      derName([['CN', 'utf8', 'd\u0435vice']]),
    ],
    ['an i without dot', 'CN=DEVICE', derName([['CN', 'utf8', 'dev\u0131ce']])],
    ['no accent', 'CN=Zoë', derName([['CN', 'utf8', 'Zoe']])],
    [
      'TeletexString beyond ASCII: whose letters these are nobody knows',
      'CN=Zoë',
      derName([['CN', 'teletex', [0x5a, 0x6f, 0xeb]]]),
    ],
    ['octets that are no UTF-8', 'CN=Zoë', derName([['CN', 'utf8', [0x5a, 0x6f, 0xeb]]])],
    ['PrintableString beyond ASCII', 'CN=Zoë', derName([['CN', 'printable', [0x5a, 0x6f, 0xeb]]])],
    [
      'BMPString of an odd number of octets',
      'CN=device',
      derName([['CN', 'bmp', [...utf16('device'), 0]]]),
    ],
    [
      'BMPString with half a surrogate pair',
      'CN=device',
      derName([['CN', 'bmp', [0xd8, 0, ...utf16('device')]]]),
    ],
    ['UniversalString beyond Unicode', 'CN=A', derName([['CN', 'universal', [0x7f, 0, 0, 0x41]]])],
    ['VisibleString, which names do not have', 'CN=device', derName([['CN', 'visible', 'device']])],
    ['a time', 'CN=device', derName([['CN', 'utcTime', 'garbage']])],
    ['an empty value', 'CN=device', derName([['CN', 'utf8', '']])],
    ['no name at all', 'CN=device', derName()],
    [
      'a type whose number has 101 octets',
      `1.3.${BigInt(`0b${'0000001'.repeat(100)}`)}=device`,
      derName([['long', 'utf8', 'device']]),
    ],
    ['an empty relative name beside it', 'CN=device', derName([], [['CN', 'utf8', 'device']])],
  ];
  it.each(differing)('another: %s', async (_, registered, subject) => {
    expect(await outcome({ tls_client_auth_subject_dn: registered }, { subject })).toBe(unknown);
  });

  it.each([
    'device',
    'x CN=device',
    'CN=device,',
    ',CN=device',
    'CN=device+',
    'CN=device;O=x',
    'CN=a\\',
    'CN=a\\zb',
    'CN=\\C3',
    'CN=\\ff\\fe',
    'CN=a"b',
    'CN="a',
    'CN="a"b',
    'CN=<a>',
    'CN=',
    'CN=,O=x',
    'CN=  ',
    'CN=#',
    'CN=#0',
    'CN=#zz',
    'CN=#0c0261',
    'CN=#0c01',
    'CN=#0c01610c0162',
    'CN=#0c800000',
    'CN=#0c8101' + '61',
    'CN=dev\\00ice',
    'CN=dev\u200bice',
    'CN=dev\nice',
    'nosuchtype=x',
    '2=x',
    '2..5=x',
    '=x',
    '/CN=device/O=x',
    '__proto__=x',
    'constructor=x',
  ])(
    'registration as %j is refused: no name by RFC 4514 §3, or one that no certificate can match',
    async (name) => {
      expect(await register({ tls_client_auth_subject_dn: name })).toMatchObject({
        status: 400,
        member: 'tls_client_auth_subject_dn',
      });
    },
  );
});

const names = (...all: readonly Uint8Array[]) => ({ rawNames: [der(0x30, ...all)] });
const dns = (text: string) => der(0x82, Buffer.from(text));
const uri = (text: string) => der(0x86, Buffer.from(text));
const email = (text: string) => der(0x81, Buffer.from(text));
const ip = (hex: string) => der(0x87, Buffer.from(hex, 'hex'));
const documentation = '20010db800000000000000000000002c';

describe('RFC 8705 §2.1.2: subject alternative names', () => {
  it.each([
    ['IPv6, RFC 5952', { tls_client_auth_san_ip: '2001:db8::2c' }, names(ip(documentation))],
    ['IPv6 in capitals', { tls_client_auth_san_ip: '2001:DB8::2C' }, names(ip(documentation))],
    [
      'IPv6 with every zero',
      { tls_client_auth_san_ip: '2001:0db8:0000:0000:0000:0000:0000:002c' },
      names(ip(documentation)),
    ],
    [
      'IPv6 without compression',
      { tls_client_auth_san_ip: '2001:db8:0:0:0:0:0:2c' },
      names(ip(documentation)),
    ],
    [
      'IPv6 compressed elsewhere',
      { tls_client_auth_san_ip: '2001:db8:0:0::2c' },
      names(ip(documentation)),
    ],
    [
      'IPv6 with its end in IPv4 form',
      { tls_client_auth_san_ip: '2001:db8::0.0.0.44' },
      names(ip(documentation)),
    ],
    ['IPv6 of zeros', { tls_client_auth_san_ip: '::' }, names(ip('0'.repeat(32)))],
    [
      'IPv4 within IPv6',
      { tls_client_auth_san_ip: '::ffff:192.0.2.7' },
      names(ip('00000000000000000000ffffc0000207')),
    ],
    ['IPv4', { tls_client_auth_san_ip: '192.0.2.7' }, names(ip('c0000207'))],
    [
      'the second of two addresses',
      { tls_client_auth_san_ip: '192.0.2.7' },
      names(ip('c0000208'), ip('c0000207')),
    ],
    [
      'dns in other case',
      { tls_client_auth_san_dns: 'Device.EXAMPLE.com' },
      names(dns('dEVICE.example.COM')),
    ],
    [
      'dns among other names',
      { tls_client_auth_san_dns: 'device.example' },
      names(email('a@b'), der(0xa0, Buffer.from('06012a', 'hex')), dns('device.example')),
    ],
    [
      'dns, a wildcard that is itself the name',
      { tls_client_auth_san_dns: '*.example.com' },
      names(dns('*.example.com')),
    ],
    [
      'uri',
      { tls_client_auth_san_uri: 'https://example.com/a?b=%2f#c' },
      names(uri('https://example.com/a?b=%2f#c')),
    ],
    [
      'email, the domain in other case',
      { tls_client_auth_san_email: 'De.Vice+1@EXAMPLE.com' },
      names(email('De.Vice+1@example.COM')),
    ],
    [
      'email, quotes and an at sign before the last',
      { tls_client_auth_san_email: '"a@B"@example.com' },
      names(email('"a@B"@EXAMPLE.com')),
    ],
  ] as const)('the same: %s', async (_, registered, options) => {
    expect(await outcome(registered, options)).toBe(known);
  });

  it.each([
    ['another IPv6 address', { tls_client_auth_san_ip: '2001:db8::2d' }, names(ip(documentation))],
    [
      'IPv4 within IPv6 for IPv4',
      { tls_client_auth_san_ip: '192.0.2.7' },
      names(ip('00000000000000000000ffffc0000207')),
    ],
    [
      'IPv4 for IPv4 within IPv6',
      { tls_client_auth_san_ip: '::ffff:192.0.2.7' },
      names(ip('c0000207')),
    ],
    [
      'an address with a mask',
      { tls_client_auth_san_ip: '192.0.2.7' },
      names(ip('c0000207ffffffff')),
    ],
    ['an address of five octets', { tls_client_auth_san_ip: '192.0.2.7' }, names(ip('c000020700'))],
    ['an address of none', { tls_client_auth_san_ip: '192.0.2.7' }, names(ip(''))],
    ['an address as dns', { tls_client_auth_san_ip: '192.0.2.7' }, names(dns('192.0.2.7'))],
    [
      'an address as text',
      { tls_client_auth_san_ip: '192.0.2.7' },
      names(der(0x87, Buffer.from('192.0.2.7'))),
    ],
    ['dns, only in CN', { tls_client_auth_san_dns: 'device' }, { subject: device }],
    [
      'dns, a wildcard',
      { tls_client_auth_san_dns: 'device.example.com' },
      names(dns('*.example.com')),
    ],
    [
      'dns with a dot behind',
      { tls_client_auth_san_dns: 'device.example.com' },
      names(dns('device.example.com.')),
    ],
    [
      'dns with a zero octet',
      { tls_client_auth_san_dns: 'device.example.com' },
      names(dns('device.example.com\0.evil.example')),
    ],
    [
      'dns with a blank',
      { tls_client_auth_san_dns: 'device.example.com' },
      names(dns('device.example.com ')),
    ],
    [
      'dns, two names in one',
      { tls_client_auth_san_dns: 'device.example.com' },
      names(dns('x, DNS:device.example.com')),
    ],
    [
      'dns with the sign for Kelvin',
      { tls_client_auth_san_dns: 'k.example' },
      names(dns('\u212a.example')),
    ],
    [
      'dns as uri',
      { tls_client_auth_san_dns: 'device.example.com' },
      names(uri('device.example.com')),
    ],
    [
      'uri with its host in other case',
      { tls_client_auth_san_uri: 'https://example.com/a' },
      names(uri('https://EXAMPLE.com/a')),
    ],
    [
      'uri with a slash behind',
      { tls_client_auth_san_uri: 'https://example.com' },
      names(uri('https://example.com/')),
    ],
    [
      'uri encoded in another way',
      { tls_client_auth_san_uri: 'https://example.com/%2f' },
      names(uri('https://example.com/%2F')),
    ],
    ['uri as dns', { tls_client_auth_san_uri: 'urn:x' }, names(dns('urn:x'))],
    [
      'email, the mailbox in other case',
      { tls_client_auth_san_email: 'device@example.com' },
      names(email('Device@example.com')),
    ],
    [
      'email in the subject',
      { tls_client_auth_san_email: 'a@example.com' },
      { subject: derName([['email', 'ia5', 'a@example.com']]) },
    ],
    ['email as dns', { tls_client_auth_san_email: 'a@example.com' }, names(dns('a@example.com'))],
    [
      'names of no sequence',
      { tls_client_auth_san_dns: 'device' },
      { rawNames: [der(4, Buffer.from('device'))] },
    ],
    [
      'names cut off',
      { tls_client_auth_san_dns: 'device' },
      { rawNames: [Uint8Array.of(0x30, 8, 0x82, 6, 0x64)] },
    ],
    [
      'names twice',
      { tls_client_auth_san_dns: 'device' },
      { rawNames: [der(0x30, dns('device')), der(0x30, dns('other'))] },
    ],
  ] as const)('another: %s', async (_, registered, options) => {
    expect(await outcome(registered, options)).toBe(unknown);
  });

  it.each([
    '192.0.2',
    '192.0.2.256',
    '192.0.2.07',
    '0x7f.0.0.1',
    '3221225991',
    '192.0.2.7/32',
    '2001:db8::/32',
    '[2001:db8::1]',
    'fe80::1%eth0',
    '1::2::3',
    '192.0.2.7 ',
  ])('registration of the address %j is refused', async (address) => {
    expect(await register({ tls_client_auth_san_ip: address })).toMatchObject({
      status: 400,
      member: 'tls_client_auth_san_ip',
    });
  });
});
