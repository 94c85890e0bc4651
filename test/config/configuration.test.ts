import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examineConfig, readConfig } from '../../src/config/config.ts';
import { withChosenPorts } from '../../src/config/free-ports.ts';
import { variableNames } from '../../src/config/variable-names.ts';

const tls = { TLS_CERT_FILE: 'tls.crt', TLS_KEY_FILE: 'tls.key' };
const files =
  (contents: Readonly<Record<string, string>>) =>
  (path: string): string => {
    const content = contents[path];
    if (content === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
    return content;
  };

describe('the issuer follows the listener', () => {
  it.each([
    [{}, 'http://localhost:8080'],
    [{ PORT: '18080' }, 'http://localhost:18080'],
    [{ PORT: '18080', ...tls }, 'http://localhost:18080'],
    [{ PORT: 'off', ...tls }, 'https://localhost:8443'],
    [{ PORT: 'off', TLS_PORT: '9443', ...tls }, 'https://localhost:9443'],
    [{ PORT: '18080', ISSUER: 'https://as.example.com' }, 'https://as.example.com'],
  ])('%j', (env, issuer) => {
    expect(readConfig(env)).toMatchObject({ issuer, warnings: [] });
  });
  it('with port 0 it names the port that the system chose', async () => {
    const config = await withChosenPorts(readConfig({ PORT: '0', ADMIN_PORT: '0' }));
    expect(config.port).toBeGreaterThan(0);
    expect(config.adminPort).toBeGreaterThan(0);
    expect(config.issuer).toBe(`http://localhost:${config.port}`);
    const given = { PORT: '0', ISSUER: 'https://as.example.com' };
    expect((await withChosenPorts(readConfig(given))).issuer).toBe('https://as.example.com');
  });
  it.runIf(process.platform === 'linux')(
    'workers never share a port with another program that would let them',
    async () => {
      const other = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: true });
      await once(other, 'listening');
      const PORT = String((other.address() as AddressInfo).port);
      const env = { HOST: '127.0.0.1', PORT, ADMIN_PORT: '0', WORKERS: '2' };
      await expect(withChosenPorts(readConfig(env))).rejects.toThrow(/EADDRINUSE/);
      other.close();
    },
  );
  it.each([
    [{ PORT: 'off' }, /PORT=off needs TLS_CERT_FILE/],
    [{ ISSUER: 'https://localhost:8080' }, /must not be https at port 8080/],
    [{ ISSUER: 'http://localhost:8443', ...tls }, /must not be http at port 8443/],
    [{ PORT: 'off', ISSUER: 'http://localhost:8080', ...tls }, /must not be http with PORT=off/],
  ])('%j stops the start: the two cannot belong together', (env, sentence) => {
    expect(() => readConfig(env)).toThrow(sentence);
  });
  it.each([
    [{ ISSUER: 'http://localhost:8080', PORT: '18080' }, /port 8080 .* the listener is at 18080/],
    [{ ISSUER: 'https://localhost:9443' }, /port 9443 .* no https listener is configured/],
    [{ ISSUER: 'http://localhost:8080', HOST: '192.0.2.1' }, /loopback, and HOST is not/],
  ])('%j warns: something has to forward', (env, sentence) => {
    expect(readConfig(env).warnings).toEqual([expect.stringMatching(sentence)]);
  });
});

describe('two listeners at one port of one address', () => {
  it.each([
    [{ PORT: '16001', ADMIN_PORT: '16001' }, 'PORT and ADMIN_PORT'],
    [{ HOST: '0.0.0.0', PORT: '8081' }, 'PORT and ADMIN_PORT'],
    [{ HOST: '::', PORT: '8081' }, 'PORT and ADMIN_PORT'],
    [{ HOST: '::1', ADMIN_HOST: 'localhost', ADMIN_PORT: '8080' }, 'PORT and ADMIN_PORT'],
    [{ HOST: '::ffff:127.0.0.1', ADMIN_PORT: '8080' }, 'PORT and ADMIN_PORT'],
    [{ HOST: 'AS.example', ADMIN_HOST: 'as.example', PORT: '8081' }, 'PORT and ADMIN_PORT'],
    [{ METRICS_PORT: '9000', GATEWAY_PORT: '9000' }, 'METRICS_PORT and GATEWAY_PORT'],
    [{ TLS_PORT: '8080', ...tls }, 'PORT and TLS_PORT'],
  ])('%j stops the start', (env, named) => {
    expect(() => readConfig(env)).toThrow(
      `The environment has faults:\n  - ${named} must not be the same port: `,
    );
  });
  it.each([
    { PORT: '0', ADMIN_PORT: '0', METRICS_PORT: '0' },
    { HOST: '127.0.0.2', PORT: '8081' },
    { HOST: '::1', PORT: '8081' },
    { HOST: '0.0.0.0', ADMIN_HOST: '::1', PORT: '8081' },
    { HOST: 'as.example', PORT: '8081' },
    { TLS_PORT: '8080' },
    { PORT: 'off', TLS_PORT: '8080', ...tls },
  ])('%j is none', (env) => {
    expect(readConfig(env).adminPort).toBeTypeOf('number');
  });
});

describe('the path of the issuer is mounted as it is, or refused', () => {
  it.each(['', '/', '/tenant', '/realms/prod', '/realms/prod/', '/a.b-c_d~e'])('%j', (path) => {
    const ISSUER = `https://as.example.com${path}`;
    expect(readConfig({ ISSUER }).issuer).toBe(ISSUER);
  });
  it.each([
    '/my%20realm',
    '/région',
    '/a%7Eb',
    '/realms:prod',
    '/a*',
    '/a(b)',
    '/a//b',
    '//a',
    '/a/../b',
    '/a/.',
    '/a;b',
    '/%2e%2e/b',
  ])('%j is refused with a sentence', (path) => {
    expect(() => readConfig({ ISSUER: `https://as.example.com${path}` })).toThrow(
      /ISSUER must have a path of letters, digits/,
    );
  });
});

describe('the value of a variable', () => {
  const values: Readonly<Record<string, string>> = {
    ISSUER: 'https://as.example.com',
    DATABASE_URL: 'file:x.db',
    REDIS_URL: 'redis://127.0.0.1',
    ADMIN_TOKEN: 'a'.repeat(32),
    PORT: '18080',
    HOST: 'localhost',
    TRUSTED_PROXIES: '10.0.0.0/8,192.168.0.0/16',
    KEY_ENCRYPTION_KEY_FILE: 'key',
    LOG_LEVEL: 'info',
    DPOP_SIGNING_ALGS: 'ES256 ES384',
  };
  it.each(Object.entries(values))(
    '%s with control characters or outer blanks is refused by name',
    (name, value) => {
      expect(() => readConfig({ [name]: value })).not.toThrow();
      for (const [wrong, fault] of [
        [`${value}\r`, 'contain a control character'],
        [`${value}\n`, 'contain a control character'],
        [`${value.slice(0, 1)}\t${value.slice(1)}`, 'contain a control character'],
        [`${value}\u0085`, 'contain a control character'],
        [` ${value}`, 'begin or end with a blank'],
        [`${value}\u00a0`, 'begin or end with a blank'],
      ] as const)
        expect(() => readConfig({ [name]: wrong })).toThrow(`- ${name} must not ${fault}`);
    },
  );
  it.each(['PORT', 'ADMIN_PORT', 'TLS_PORT'])(
    '%s of a Kubernetes service link is named as such',
    (name) => {
      expect(() => readConfig({ ...tls, [name]: 'tcp://10.0.0.1:8081' })).toThrow(
        new RegExp(`${name} must be a port, and has the form of a Kubernetes service link`),
      );
    },
  );
});

describe('a secret in a file that NAME_FILE names', () => {
  it.each([
    ['ADMIN_TOKEN', 'adminToken', 'a'.repeat(32)],
    ['DATABASE_URL', 'databaseUrl', 'postgresql://db/holdfast'],
    ['REDIS_URL', 'redisUrl', 'redis://:secret@redis'],
  ])('%s', (name, member, value) => {
    const read = (content: string) =>
      readConfig({ [`${name}_FILE`]: '/run/x' }, files({ '/run/x': content }));
    for (const end of ['', '\n', '\r\n'])
      expect(read(value + end)).toMatchObject({ [member]: value });
    for (const wrong of ['', '\n', `${value}\n\n`, ` ${value}`, `${value}\r`, 'x'.repeat(70_000)])
      expect(() => read(wrong)).toThrow(`${name}_FILE must`);
    expect(() => readConfig({ [`${name}_FILE`]: '/run/y' }, files({}))).toThrow(
      `${name}_FILE must name a file that the server's user can read (ENOENT)`,
    );
    expect(() =>
      readConfig({ [name]: value, [`${name}_FILE`]: '/run/x' }, files({ '/run/x': value })),
    ).toThrow(`${name} and ${name}_FILE must not be set both`);
  });
});

describe('a variable that was renamed', () => {
  it.each([
    ['HOUSEKEEPING_INTERVAL', 'CLEANUP_INTERVAL'],
    ['MAX_REQUESTS_UNDER_WAY', 'MAX_CONCURRENT_REQUESTS'],
    ['TARGET_MS_UNDER_WAY', 'TARGET_LATENCY_MS'],
  ])('%s stops the start and names %s', (old, name) => {
    expect(() => readConfig({ [old]: '100' })).toThrow(`- ${old} is now called ${name}`);
    expect(() => readConfig({ [old]: '', [name]: '100' })).not.toThrow();
  });
});

describe('DEVELOPMENT=true', () => {
  const env = { DEVELOPMENT: 'true' };
  it.each([
    [env, 0],
    [{ ...env, DPOP_NONCE_REFUSE_PERCENT: '50' }, 50],
    [{ ...env, HOST: '127.0.0.1', ADMIN_HOST: '::1', ISSUER: 'http://[::1]:8080' }, 0],
    [{ ...env, ...tls, TLS_HOST: 'localhost', PORT: 'off', HOST: '0.0.0.0' }, 0],
  ])('is accepted on loopback, with a warning: %j', (given, dpopNonceRefusePercent) => {
    expect(readConfig(given)).toMatchObject({
      development: true,
      dpopNonceRefusePercent,
      warnings: expect.arrayContaining([expect.stringMatching(/^DEVELOPMENT MODE/)]),
    });
  });
  it.each([
    [{ ISSUER: 'https://as.example.com' }, 'needs ISSUER on loopback'],
    [{ ISSUER: 'https://localhost.example.com' }, 'needs ISSUER on loopback'],
    [{ HOST: '0.0.0.0' }, 'needs HOST on loopback'],
    [{ HOST: '::' }, 'needs HOST on loopback'],
    [{ ADMIN_HOST: '10.0.0.1' }, 'needs ADMIN_HOST on loopback'],
    [{ ...tls, TLS_HOST: '192.0.2.1' }, 'needs TLS_HOST on loopback'],
    [{ ...tls, HOST: '0.0.0.0', PORT: 'off' }, 'needs TLS_HOST on loopback'],
  ])('stops the start with %j', (given, fault) => {
    expect(() => readConfig({ ...env, ...given })).toThrow(`- DEVELOPMENT=true ${fault}`);
  });
  it('is off unless it is set, and DPOP_NONCE_REFUSE_PERCENT needs it', () => {
    expect(readConfig({})).toMatchObject({ development: false, warnings: [] });
    expect(() => readConfig({ DPOP_NONCE_REFUSE_PERCENT: '1' })).toThrow(
      '- DPOP_NONCE_REFUSE_PERCENT needs DEVELOPMENT=true',
    );
  });
});

describe('a name that nobody reads', () => {
  const warned = (name: string) => readConfig({ [name]: '1' }).warnings;
  it.each([
    ['ISUER', 'ISSUER'],
    ['PROT', 'PORT'],
    ['WORKER', 'WORKERS'],
    ['DATABSE_ULR', 'DATABASE_URL'],
    ['REDIS_URI', 'REDIS_URL'],
    ['ADMIN_TOKENS', 'ADMIN_TOKEN'],
    ['TLS_CERT_FIL', 'TLS_CERT_FILE'],
    ['POST', 'HOST or PORT'],
    ['SHORT', 'HOST or PORT'],
  ])('%s, within two edits of one that is read, gets a warning', (name, meant) => {
    expect(warned(name)).toEqual([
      `${name} is not a variable of Holdfast and has no effect; is ${meant} meant?`,
    ]);
  });
  it.each([
    'HOME',
    'PATH',
    'PWD',
    'USER',
    'TERM',
    'LANG',
    'HOSTNAME',
    'KUBERNETES_PORT',
    'NODE_ENV',
    'ISSUER_URL_OLD',
    'TZ',
    'HTTP_PROXY',
    'SSL_CERT_FILE',
    '_',
  ])('%s gets none', (name) => {
    expect(warned(name)).toEqual([]);
  });
  it('a name that CONFIG_FILE takes a secret from gets none', () => {
    const env = { CONFIG_FILE: 'x.yaml', ISUER: 's', ISSUR: 's' };
    const read = () => `clients: [{ client_id: a, client_secret: \${ISUER} }]`;
    expect(readConfig(env, read).warnings).toEqual([expect.stringMatching(/^ISSUR is not/)]);
  });
  it('a KEY_ENCRYPTION_KEY of another form is refused with the command that makes one', () => {
    expect(() => readConfig({ KEY_ENCRYPTION_KEY: 'short' })).toThrow(
      'KEY_ENCRYPTION_KEY must be base64url of 32 bytes (make one: openssl rand 32 | basenc --base64url | tr -d =)',
    );
  });
  it('docs/reference/configuration.md has exactly the variables that are read', () => {
    const path = join(import.meta.dirname, '../../docs/reference/configuration.md');
    const described = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)])
      .map(([, name]) => name);
    expect(new Set(described)).toEqual(new Set(variableNames));
    expect(described).toHaveLength(variableNames.length);
  });
});

describe('AUDIT_SINK', () => {
  const forms = 'must be stdout, file:PATH or https://HOST/PATH, without user and fragment';
  const AUDIT_WEBHOOK_SECRET = 's'.repeat(32);
  it.each([
    [{ AUDIT_SINK: '/var/log/x' }, [`AUDIT_SINK ${forms}`]],
    [{ AUDIT_SINK: 'http://a.example.com' }, [`AUDIT_SINK ${forms}`]],
    [{ AUDIT_SINK: 'https://a:b@c.example.com' }, [`AUDIT_SINK ${forms}`]],
    [{ AUDIT_SINK: 'https://a.example.com/#b', AUDIT_WEBHOOK_SECRET }, [`AUDIT_SINK ${forms}`]],
    [{ AUDIT_SINK: 'https://[', AUDIT_WEBHOOK_SECRET }, [`AUDIT_SINK ${forms}`]],
    [{ AUDIT_SINK: 'https://a.example.com' }, ['AUDIT_SINK=https://… needs AUDIT_WEBHOOK_SECRET']],
  ])('%j has one fault', (env, faults) => {
    expect(examineConfig(env).faults).toEqual(faults);
  });
});
