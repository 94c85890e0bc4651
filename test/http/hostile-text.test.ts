import { describe, expect, it } from 'vitest';
import { clientAddress } from '../../src/http/request/client-address.ts';
import { readForm } from '../../src/http/request/form.ts';
import { forwardedNodes } from '../../src/http/request/forwarded.ts';
import { parseDistinguishedName } from '../../src/x509/distinguished-name.ts';

/** Characters that a reading which goes back over them, once for each, would not finish in a test. */
const long = 300_000;

describe('RFC 7239 Forwarded', () => {
  it.each<[string, string, readonly string[]]>([
    ['one node', 'for=192.0.2.1', ['192.0.2.1']],
    ['several, the last one nearest', 'for=192.0.2.1, for=192.0.2.2', ['192.0.2.1', '192.0.2.2']],
    ['any case of the name', 'For=192.0.2.1;PROTO=https', ['192.0.2.1']],
    ['a quoted one with its port', 'for="[2001:db8::1]:4711"', ['[2001:db8::1]:4711']],
    [
      'blanks around separators',
      'proto=http ; for=192.0.2.1 ,\tfor=192.0.2.2',
      ['192.0.2.1', '192.0.2.2'],
    ],
    ['an obfuscated one (§6.3)', 'for=_hidden', ['_hidden']],
    ['separators within quotes', 'host="a,b;for=6.6.6.6";for=192.0.2.1', ['192.0.2.1']],
    ['an escaped quote', 'host="a\\",for=6.6.6.6";for=192.0.2.1', ['192.0.2.1']],
    ['empty elements (RFC 9110 §5.6.1)', ', for=192.0.2.1,,', ['192.0.2.1']],
    ['an element without a node', 'proto=https, for=192.0.2.1', ['unknown', '192.0.2.1']],
    ['two nodes in one element', 'for=192.0.2.1;for=192.0.2.2', ['unknown']],
    [
      'a quote without an end takes the rest',
      'for=192.0.2.1, for="192.0.2.2, for=6.6.6.6',
      ['192.0.2.1', 'unknown'],
    ],
    ['a quote in the middle', 'for=192."0.2.1"', ['unknown']],
    ['an escaped character in a node', 'for="192.0.2.\\1"', ['unknown']],
    ['an empty node', 'for=', ['unknown']],
    ['another parameter that ends in the name', 'x-for=6.6.6.6', ['unknown']],
    ['nothing', '', []],
  ])('%s', (_, field, nodes) => {
    expect(forwardedNodes(field)).toEqual(nodes);
  });

  it.each([
    ['blanks', ' '],
    ['semicolons', ';'],
    ['commas', ','],
    ['quotes', '"'],
    ['backslashes', '"\\'],
    ['names', 'for='],
    ['blanks before names', '; for'],
  ])('300,000 %s are read in one pass', (_, text) => {
    const nodes = forwardedNodes(`for=192.0.2.1,${text.repeat(long)}`);
    expect(nodes[0]).toBe('192.0.2.1');
  });
});

describe('the address of a client', () => {
  const of = clientAddress(['10.0.0.0/8']);
  const from = (name: string, value: string) =>
    of({
      socket: { remoteAddress: '10.0.0.1' },
      headers: { [name]: value },
      rawHeaders: [name, value],
    } as never);
  it.each([
    ['digits', '1'.repeat(long)],
    ['hexadecimal groups', `${'a:'.repeat(long)}x`],
    ['colons', ':'.repeat(long)],
    ['dots', '1.'.repeat(long)],
    ['an open bracket', `[${'a'.repeat(long)}`],
    ['brackets', '['.repeat(long)],
  ])('%s in 300,000 characters: the proxy itself', (_, text) => {
    expect(from('X-Forwarded-For', text)).toBe('10.0.0.1');
    expect(from('Forwarded', `for="${text}"`)).toBe('10.0.0.1');
  });
});

describe('a form', () => {
  const refusal = (body: string) => {
    try {
      return readForm(body);
    } catch (error) {
      const { code, reason } = error as { code: string; reason: string };
      return `${code} ${reason}`;
    }
  };
  const numbered = (count: number) => Array.from({ length: count }, (_, index) => index);
  it.each([
    ['a resource twice', 'resource=a&resource=a', 'invalid_request resource_repeated'],
    ['two resources', 'resource=a&resource=b', 'invalid_target several_resources'],
    [
      'what stands behind the second resource, which is not read',
      'resource=a&resource=b&scope=%zz',
      'invalid_target several_resources',
    ],
    [
      'thousands of resources',
      numbered(6000)
        .map((index) => `resource=${index}`)
        .join('&'),
      'invalid_request form_too_long',
    ],
    [
      '101 parameters',
      numbered(101)
        .map((index) => `x${index}=`)
        .join('&'),
      'invalid_request form_too_long',
    ],
    ['nothing but separators', '&'.repeat(65_536), 'invalid_request form_too_long'],
  ])('%s: refused at once', (_, body, expected) => {
    expect(refusal(body)).toBe(expected);
  });
  it('of a hundred parameters, and empty resources beside one: read', () => {
    const body = ['resource=', 'resource=a', 'resource=', 'scope=read'];
    const filled = [...body, ...numbered(96).map((index) => `x${index}=1`)].join('&');
    expect(refusal(filled)).toEqual({ parameters: new Map([['scope', 'read']]), resources: ['a'] });
  });
});

describe('RFC 4514: a name that is none', () => {
  it.each([
    ['blanks before an end that is none', `CN=${' '.repeat(long)}"`],
    ['blanks within', `CN=a${' '.repeat(long)}"`],
    ['blanks between characters', `CN=${'a '.repeat(long)}"`],
    ['blanks before the name', `${' '.repeat(long)}"`],
    ['blanks before the sign', `CN${' '.repeat(long)}"`],
    ['escaped blanks', `CN=${'\\ '.repeat(long)}"`],
    ['an object identifier', `1${'.1'.repeat(long)}"`],
    ['an open quote', `CN="${'a'.repeat(long)}`],
  ])('%s, 300,000 times: refused in one pass', (_, text) => {
    expect(parseDistinguishedName(text)).toBeUndefined();
  });
  it('blanks around and within a value mean what they did', () => {
    const name = parseDistinguishedName('CN = a  b\\  ,  O="c, d" + OU=#0c0165');
    expect(name).toEqual(
      parseDistinguishedName('OU=e+O=c\\, d')?.concat(parseDistinguishedName('CN=a  b\\ ') ?? []),
    );
    expect(parseDistinguishedName('CN=')).toBeUndefined();
    expect(parseDistinguishedName('CN=  ,O=x')).toBeUndefined();
  });
});
