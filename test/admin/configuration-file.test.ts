import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfigurationFile } from '../../src/admin/configuration/file.ts';
import { declaredSecrets } from '../../src/config/declared-secrets.ts';
import { scratchFolder } from '../support/scratch.ts';

const folder = scratchFolder();
/** How a file names a variable. */
const named = (name: string) => `\${${name}}`;
afterAll(() => rmSync(folder, { recursive: true }));
const value = 'never-to-be-shown'.repeat(3);
for (const name of ['secret', 'own', 'key']) writeFileSync(join(folder, name), `${value}\n`);
symlinkSync(join(folder, 'own'), join(folder, 'link'));
writeFileSync(join(folder, 'empty'), '');
writeFileSync(join(folder, 'latin'), Buffer.from('caf\xe9', 'latin1'));
const env = {
  ORDERS_SECRET: value,
  ADMIN_TOKEN: value,
  ADMIN_TOKEN_FILE: join(folder, 'own'),
  HOLDFAST_ADMIN_TOKEN: value,
  EMPTY: '',
};
const read = (text: string) =>
  readConfigurationFile(
    join(folder, 'holdfast.yaml'),
    text,
    declaredSecrets(env, [join(folder, 'key')]),
  );
const noSecret = `do not write the secret itself; write ${named('NAME')} or { file: PATH }`;
const client = (secret: string) => `clients:\n  - client_id: a\n    client_secret: ${secret}\n`;

/** Ten of the line before, in each line. */
const laughs = Array.from(
  { length: 9 },
  (_, index) =>
    `x${index + 1}: &x${index + 1} [${Array.from({ length: 10 }, () => `*x${index}`).join()}]\n`,
).join('');

describe('a configuration file', () => {
  it.each([named('ORDERS_SECRET'), '{ file: secret }', `{ file: ${folder}/secret }`])(
    'has the secret that %s names',
    (secret) => {
      const { body, faults } = read(client(secret));
      expect(faults).toEqual([]);
      expect(body).toEqual({ clients: [{ client_id: 'a', client_secret: value }] });
    },
  );

  it.each([
    [named('ADMIN_TOKEN'), 'ADMIN_TOKEN is a variable of Holdfast itself'],
    [named('HOLDFAST_ADMIN_TOKEN'), 'HOLDFAST_ADMIN_TOKEN is a variable of Holdfast itself'],
    [named('NOT_SET'), 'the variable NOT_SET is not set'],
    [named('EMPTY'), 'the variable EMPTY is not set'],
    ['{ file: own }', 'this is a file of Holdfast itself'],
    ['{ file: link }', 'this is a file of Holdfast itself'],
    ['{ file: key }', 'this is a file of Holdfast itself'],
    ['{ file: nowhere }', 'the file cannot be read: it does not exist'],
    ['{ file: . }', 'the file cannot be read: it is a folder'],
    ['{ file: latin }', 'the file is not UTF-8'],
    [
      named('ORDERS-SECRET'),
      'the name of a variable may have letters, digits and underscores only',
    ],
    ['{ file: empty }', 'the file must have a value'],
    [value, noSecret],
    [`x${named('ORDERS_SECRET')}`, noSecret],
    ['{ file: secret, more: 1 }', noSecret],
    ['7', noSecret],
  ])('refuses the secret %s, with its place and without any value', (secret, detail) => {
    const { faults, lines, body } = read(client(secret));
    const told = lines(faults);
    expect(told).toContain(`holdfast.yaml:3:5 clients[0].client_secret: ${detail}`);
    expect(`${told}${JSON.stringify(body)}`).not.toContain(value);
  });

  it('names variables in secrets only: elsewhere a reference is a fault, not a text', () => {
    const { faults, body } = read(`clients:\n  - client_id: ${named('ORDERS_SECRET')}\n`);
    expect(faults).toEqual([
      { member: 'clients[0].client_id', detail: 'only a client_secret may name a variable' },
    ]);
    expect(JSON.stringify(body)).not.toContain(value);
  });

  it.each([
    [
      'clients:\n  - client_id: a\n    client_id: b\n',
      'holdfast.yaml:3:5 this member is here twice: client_id',
    ],
    ['clients: [\n', 'holdfast.yaml:2:1'],
    ['clients: *nobody\n', 'holdfast.yaml:1:10 there is no anchor nobody'],
    ['clients: !secret aGk=\n', 'holdfast.yaml:1:10'],
    ['', 'the file must have members such as clients'],
    ['- a\n', 'the file must have members such as clients'],
    ['clients: &a [*a]\n', 'holdfast.yaml:1:14 the alias refers to what it stands in'],
    [
      `x: &x0 [${'y'.repeat(9)}]\n${laughs}clients: *x9\n`,
      'holdfast.yaml:7:38 with this alias the file has more than 8 MiB',
    ],
    [
      'a: 1\n---\nb: 2\n',
      'holdfast.yaml:2:1 a second document begins here: put everything into one, without ---',
    ],
    [
      'clients:\n  - client_id: {{ .Values.id }}\n',
      'holdfast.yaml:2:17 the name of a member must be text: fill in templates such as {{ … }} first',
    ],
    ['a: &a { b: 1 }\nc:\n  <<: *a\n', 'holdfast.yaml:3:3 merge keys (<<) are not supported'],
    ['a: "hush\\qhush"\n', 'holdfast.yaml:1:9 a backslash in double quotes'],
    ['a: 1\n}hush\n', 'holdfast.yaml:2:1 this is not YAML'],
    ['a: @hush\n', 'holdfast.yaml:1:4 a text that begins with this character needs quotes'],
    ['a:\n\t- b\n', 'holdfast.yaml:2:1 tabs cannot indent: use blanks'],
    ['a: b: c\n', 'holdfast.yaml:1:4 this value'],
    ['a: caf\ufffd\n', 'holdfast.yaml:1:7 the file is not UTF-8, or has the character U+FFFD'],
    ['a\u0000:\u0000', 'holdfast.yaml:1:2 the file is not UTF-8'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).not.toThrow('hush');
  });

  it('may begin with the byte order mark of UTF-8', () => {
    expect(read('\ufeffclients: []\n').body).toEqual({ clients: [] });
  });

  it('takes as many aliases as there are clients', () => {
    const rows = Array.from(
      { length: 3000 },
      (_, index) => `  - { client_id: c${index}, resources: *r }`,
    );
    const { body } = read(
      `clients:\n  - { client_id: c, resources: &r [a, b] }\n${rows.join('\n')}\n`,
    );
    const { clients } = body as { readonly clients: readonly object[] };
    expect(clients).toHaveLength(3001);
    expect(clients.at(-1)).toEqual({ client_id: 'c2999', resources: ['a', 'b'] });
  });

  it('takes JSON, and the member by which editors find the schema', () => {
    const { body } = read('{ "$schema": "./holdfast.schema.json", "clients": [] }');
    expect(body).toEqual({ clients: [] });
  });

  it('finds members with dots in their names, and what is missing in its parent', () => {
    const { lines } = read(
      'trusted_issuers:\n  - issuer: x\n    rules:\n      - claims:\n          /a.b: 1\n',
    );
    const faults = ['.claims./a.b', '.name', ''].map((below) => ({
      member: `trusted_issuers[0].rules[0]${below}`,
      detail: 'x',
    }));
    expect(lines(faults).match(/:\d+:\d+ /g)).toEqual([':4:9 ', ':4:9 ', ':5:11 ']);
  });
});
