import { once } from 'node:events';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerIn } from '../../src/cli/curl/answer.ts';
import { redacted } from '../../src/cli/curl/redact.ts';
import { runCurl } from '../../src/cli/curl/run-curl.ts';
import { type Api, openApi } from '../support/api.ts';
import { runCommand, runCommandHere, startCommand } from '../support/command.ts';
import { needs } from '../support/left-out.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { listening } from '../support/resource-server.ts';
import { scratchFolder } from '../support/scratch.ts';

const curlIsHere = needs.curl.isHere();
const folder = scratchFolder();
const nonces = join(folder, 'state/holdfast/nonces/default.json');
const env = { XDG_STATE_HOME: join(folder, 'state') };
const run = async (args: readonly string[], more: Parameters<typeof runCommand>[2] = {}) =>
  runCommand(folder, ['curl', ...args], { ...more, env: { ...env, ...more.env } });
const hanging = new Set<IncomingMessage>();
let server: LiveServer;
let api: Api;
/** Arguments of all processes while the API had a request. */
let everybodySaw = '';

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  api = await openApi(server.issuer, {
    nonceRequired: true,
    open({ url }, response) {
      everybodySaw += processArguments();
      if (url !== '/hanging') return false;
      hanging.add(response.req);
      return true;
    },
  });
  const secret = 's'.repeat(32);
  for (const audience of [api.origin, 'https://api.example.com'])
    await server.admin('POST', 'resource-servers', { audience, scopes: ['read'] });
  await server.admin('POST', 'clients', { client_id: 'app', client_secret: secret });
  const profile = ['--issuer', server.issuer, '--client-id', 'app', '--resource', api.origin];
  const set = ['profile', 'set', 'default', ...profile, '--client-secret-file', '-'];
  const made = await runCommandHere(folder, set, { input: secret });
  if (made.code !== 0) throw new Error(made.stderr);
});
beforeEach(() => {
  api.seen.length = 0;
  rmSync(nonces, { force: true });
});
afterAll(async () => {
  await Promise.all([api.close(), server.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const outcomes = () => api.seen.map(({ outcome }) => outcome);

describe.skipIf(!curlIsHere)('holdfast curl', () => {
  it('calls an API with token and proof, and answers its nonce', async () => {
    const { code, stdout, stderr } = await run(['-sS', `${api.origin}/a b?c={1}`, '-g']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ presenter: 'app', method: 'jkt' });
    expect(outcomes()).toEqual(['nonce_missing', 'app by jkt']);
    expect(api.seen.at(-1)?.path).toBe('/a%20b?c={1}');
  });

  it('keeps the nonce for the next run, in a file that only its owner can read', async () => {
    await run(['-s', api.origin]);
    expect(statSync(nonces).mode & 0o777).toBe(0o600);
    api.seen.length = 0;
    expect(await run(['-s', api.origin])).toMatchObject({ code: 0 });
    expect(outcomes()).toEqual(['app by jkt']);
    writeFileSync(nonces, '{"half');
    expect(await run(['-sS', api.origin])).toMatchObject({ code: 0, stderr: '' });
  });

  it('shows no secret to other users, and reads no ~/.curlrc', async () => {
    const trace = join(folder, 'trace.txt');
    writeFileSync(join(folder, '.curlrc'), `trace-ascii = "${trace}"\nuser-agent = "theirs"\n`);
    everybodySaw = '';
    expect(await run(['-s', api.origin])).toMatchObject({ code: 0 });
    rmSync(join(folder, '.curlrc'));
    expect(everybodySaw).toContain('curl');
    const { authorization = '', dpop = '', ...headers } = api.seen.at(-1)?.headers ?? {};
    for (const secret of [authorization.slice(5), String(dpop)])
      expect([secret.length > 100, everybodySaw.includes(secret)]).toEqual([true, false]);
    expect(headers['user-agent']).toMatch(/^curl/);
    expect(readdirSync(folder)).not.toContain('trace.txt');
  });

  it('-v shows everything but token and proof', async () => {
    const { stderr } = await run(['-v', '-H', 'X-Mine: yes', api.origin]);
    expect(stderr).toMatch(/^> authorization: DPoP \[redacted\]\r?$/im);
    expect(stderr).toMatch(/^> dpop: \[redacted\]\r?$/im);
    expect(stderr).toMatch(/^> X-Mine: yes\r?$/m);
    expect(stderr).toMatch(/^< HTTP\/1.1 200 OK\r?$/m);
    expect(stderr).not.toMatch(/eyJ/);
  });

  it.each([
    ['-d', ['-d', 'text'], 'POST text'],
    ['--json', ['--json', '{"a":1}'], 'POST {"a":1}'],
    ['-d @FILE, combined letters', ['-sSd@FILE'], 'POST from a file'],
    ['-T FILE', ['-TFILE'], 'PUT from a file'],
    ['-X', ['-XPATCH', '--data-binary', '@FILE'], 'PATCH from a file'],
    ['-G', ['-Gd', 'a=b'], 'GET '],
    ['-I', ['-I'], 'HEAD '],
  ])('sends the same body again behind a nonce: %s', async (_case, args, sent) => {
    const file = join(folder, 'body.txt');
    writeFileSync(file, 'from a file');
    const named = args.map((arg) => arg.replace('FILE', file));
    expect(await run(['-s', ...named, `${api.origin}/x`])).toMatchObject({ code: 0, stderr: '' });
    expect(outcomes()).toEqual(['nonce_missing', 'app by jkt']);
    expect(api.seen.map(({ method, body }) => `${method} ${body}`)).toEqual([sent, sent]);
  });

  it.each([
    ['-T -', ['-T', '-']],
    ['-d @-', ['-d', '@-']],
    ['-F', ['-F', 'a=@-']],
  ])('never sends a stream twice, but knows the nonce in the next run: %s', async (_case, args) => {
    const input = 'from standard input';
    const first = await run(['-s', ...args, '-w', '%{http_code}', `${api.origin}/x`], { input });
    expect(first.stdout).toMatch(/use_dpop_nonce.*401$/s);
    expect(first.stderr).toContain('run it again');
    expect(await run(['-s', ...args, `${api.origin}/x`], { input })).toMatchObject({ code: 0 });
    expect(outcomes()).toEqual(['nonce_missing', 'app by jkt']);
    expect(api.seen.at(-1)?.body).toContain(input);
  });

  it('writes body and header where curl would', async () => {
    const [body, header] = [join(folder, 'body'), join(folder, 'header')];
    const args = ['-s', '-o', body, '-D', header, '-w', '%{http_code}', api.origin];
    expect(await run(args)).toMatchObject({ code: 0, stdout: '200' });
    expect(readFileSync(body, 'utf8')).toContain('"presenter":"app"');
    expect(readFileSync(header, 'utf8')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    for (const flag of [['-i'], ['-D', '-']])
      expect((await run(['-s', ...flag, api.origin])).stdout).toMatch(
        /^HTTP\/1.1 200 OK\r\n[^{]*\r\n\r\n\{"presenter":"app".*\}$/,
      );
  });

  it('takes header fields from a file', async () => {
    writeFileSync(join(folder, 'fields'), 'X-One: 1\nX-Two: 2\n');
    expect(await run(['-s', '-H', `@${join(folder, 'fields')}`, api.origin])).toMatchObject({
      code: 0,
    });
    expect(api.seen.at(-1)?.headers).toMatchObject({ 'x-one': '1', 'x-two': '2' });
    writeFileSync(join(folder, 'fields'), 'X-One: 1\nauthorization: Bearer mine\n');
    expect(await run(['-s', '-H', `@${join(folder, 'fields')}`, api.origin])).toMatchObject({
      code: 2,
    });
  });

  it.each([
    ['-d', ['-d', '@/dev/fd/3']],
    ['-d by another path', ['-d', '@/dev/../proc/self/fd/3']],
    ['--data-binary', ['--data-binary', '@/dev/fd/3']],
    ['--data-urlencode', ['--data-urlencode', 'a@/dev/fd/3']],
    ['--json', ['--json', '@/dev/fd/3']],
    ['--url-query', ['--url-query', 'a@/dev/fd/3']],
    ['-F', ['-F', 'a=@/dev/fd/3']],
    ['-F as text', ['-F', 'a=</dev/fd/3']],
    ['-T', ['-T', '/dev/fd/3']],
    ['-b', ['-b', '/dev/fd/3']],
    ['-w', ['-w', '@/dev/fd/3']],
    ['-w by a link', ['-w', '@LINK']],
  ])('its own pipe is empty for an option that reads a file: %s', async (_case, args) => {
    const link = join(folder, 'link');
    rmSync(link, { force: true });
    symlinkSync('/dev/fd/3', link);
    const named = args.map((arg) => arg.replace('LINK', link));
    const { stdout, stderr } = await run(['-sS', ...named, `${api.origin}/x`]);
    expect(api.seen).not.toEqual([]);
    for (const { headers, path, body } of api.seen) {
      expect(headers.authorization).toMatch(/^DPoP eyJ/);
      expect(path + body + headers.cookie + stdout + stderr).not.toMatch(/DPoP eyJ|dpop: eyJ/i);
    }
  });

  it('hands on what it cannot read, and keeps no more than 1 MiB of it', async () => {
    const received = Promise.withResolvers<void>();
    const own = createServer((_request, response) => {
      response.write('x'.repeat(2 * 1024 * 1024));
      void received.promise.then(() => response.end());
    });
    const { port, close } = await listening(own);
    let bytes = 0;
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        received.resolve();
        done();
      },
    });
    const terminal = { env: process.env, stdout, stderr: process.stderr } as never;
    const args = ['-sS', `http://127.0.0.1:${port}/`];
    const wanted = async () => undefined;
    expect(await runCurl(terminal, { args, fields: '', secrets: undefined, wanted })).toBe(0);
    expect(bytes).toBe(2 * 1024 * 1024);
    await close();
  });

  it('hands a redirect back', async () => {
    const url = `${api.origin}/?to=${encodeURIComponent(`${api.origin}/new`)}`;
    const { stdout } = await run(['-s', '-w', '%{redirect_url}', url]);
    expect(stdout).toMatch(/\/new$/);
    expect(outcomes()).toEqual(['nonce_missing', 'app by jkt']);
  });

  it('has the exit status of curl', async () => {
    expect(await run(['-sf', `${api.origin}/?to=/&status=404`])).toMatchObject({ code: 22 });
    const gone = ['--resource', 'http://127.0.0.1:9', '-s', 'http://127.0.0.1:9/'];
    await server.admin('POST', 'resource-servers', { audience: 'http://127.0.0.1:9' });
    expect(await run(gone)).toMatchObject({ code: 7, stdout: '' });
  });

  it('ends curl when it is ended', async () => {
    const child = startCommand(folder, ['curl', '-s', `${api.origin}/hanging`], env);
    while (hanging.size === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const [request] = hanging;
    const closed = once(request?.socket as IncomingMessage['socket'], 'close');
    child.kill('SIGTERM');
    await Promise.all([closed, once(child, 'exit')]);
    expect(child.exitCode).toBe(143);
  });
});

describe.skipIf(!curlIsHere)('no proxy sees token or proof', () => {
  const proxy = async () => {
    const seen: string[] = [];
    const note = ({ rawHeaders }: IncomingMessage) => void seen.push(rawHeaders.join('\n'));
    const own = createServer((request, response) => {
      note(request);
      response.end();
    }).on('connect', (request, socket) => {
      note(request);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    const { port, close } = await listening(own);
    return { url: `http://127.0.0.1:${port}`, seen, close };
  };

  it('not that of a variable, for http://', async () => {
    const { url, seen, close } = await proxy();
    const more = { http_proxy: url, HTTP_PROXY: url, ALL_PROXY: url };
    expect(await run(['-s', api.origin], { env: more })).toMatchObject({ code: 0 });
    expect(seen).toEqual([]);
    await close();
  });

  it('not in the CONNECT for https://', async () => {
    const { url, seen, close } = await proxy();
    const target = 'https://api.example.com/';
    const own = ['--resource', 'https://api.example.com', '-s', '-H', 'X-Mine: yes'];
    expect((await run([...own, '-x', url, target])).code).toBe(56);
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toMatch(/authorization|dpop|x-mine/i);
    await close();
  });
});

describe('holdfast curl refuses', () => {
  const url = () => `${api.origin}/`;
  it.each([
    ['redirects', ['-L', 'URL']],
    ['redirects among other letters', ['-sSL', 'URL']],
    ['redirects behind the URL', ['URL', '--location']],
    ['redirects with credentials', ['--location-trusted', 'URL']],
    ['an abbreviated name, which curl would complete', ['--loc', 'URL']],
    ['a second request', ['URL', '--next', 'URL']],
    ['a second request by letter', ['URL', '-:', 'URL']],
    ['several URLs', ['URL', 'URL']],
    ['several URLs by --url', ['--url', 'URL', '--url', 'URL']],
    ['a URL behind --', ['URL', '--', 'URL']],
    ['a range of URLs', ['URL[1-3]']],
    ['a list of URLs', ['URL{a,b}']],
    ['no URL', ['-s']],
    ['a name that needs a value', ['URL', '-o']],
    ['another origin', ['https://api.example.org/']],
    ['a URL without scheme', ['127.0.0.1/']],
    ['another protocol', ['file:///etc/passwd']],
    ['a user in the URL', ['http://me:secret@127.0.0.1/']],
    ['--trace', ['--trace', '-', 'URL']],
    ['--trace-ascii', ['--trace-ascii', '-', 'URL']],
    ['--stderr', ['-v', '--stderr', 'x', 'URL']],
    ['--libcurl', ['--libcurl', 'x', 'URL']],
    ['a configuration file', ['-K', 'x', 'URL']],
    ['a configuration file by name', ['--config', '-', 'URL']],
    ['-u', ['-u', 'me:secret', 'URL']],
    ['~/.netrc', ['-n', 'URL']],
    ['a bearer token', ['--oauth2-bearer', 'x', 'URL']],
    ['no check of the certificate', ['-k', 'URL']],
    ['repeats with the same proof', ['--retry', '3', 'URL']],
    ['Authorization of the user', ['-H', 'Authorization: Bearer x', 'URL']],
    ['DPoP of the user', ['-H', 'dpop: x', 'URL']],
    ['an empty DPoP', ['-H', 'DPoP;', 'URL']],
    ['another Host', ['-H', 'Host: other.example', 'URL']],
    ['a field with a blank before it', ['-H', ' DPoP : x', 'URL']],
    ['a field inside another', ['-H', 'X: y\r\nDPoP: x', 'URL']],
    ['a field inside the method', ['-X', 'GET / HTTP/1.1\r\nDPoP: x', 'URL']],
    ['a field inside a cookie', ['-b', 'a=b\r\nDPoP: x', 'URL']],
    ['fields of standard input', ['-H', '@-', 'URL']],
    ['fields of its own pipe', ['-H', '@/dev/fd/3', 'URL']],
    ['fields of its own pipe by another path', ['-H', '@/usr/../dev/fd/3', 'URL']],
    ['a proxy for http', ['-x', 'http://127.0.0.1:1', 'URL']],
    ['another address for http', ['--connect-to', '::127.0.0.1:1', 'URL']],
    ['another resolution for http', ['--resolve', '127.0.0.1:1:127.0.0.2', 'URL']],
    ['a file name that curl adds to the URL', ['-T', 'package.json', 'URL']],
    ['two methods', ['-I', '-d', 'x', 'URL']],
    ['TRACE', ['-X', 'TRACE', 'URL']],
    ['TRACE in small letters', ['-sXtrace', 'URL']],
    ['TRACK', ['--request', 'Track', 'URL']],
    ['TRACE behind another method', ['-XGET', '-XTRACE', 'URL']],
    ['the URL as it stands', ['--path-as-is', 'URL../x']],
    ['an option that it does not know', ['--unheard-of', 'URL']],
  ])('%s', async (_case, args) => {
    mkdirSync(env.XDG_STATE_HOME, { recursive: true });
    const refused = await run(args.map((arg) => arg.replace('URL', url())));
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(api.seen).toEqual([]);
  });

  it.each([
    [
      ['https://api.example.org/'],
      'The token is not for https://api.example.org. ' +
        'If this is an origin of the API, add it: holdfast profile set NAME --origin URL…',
    ],
    [['--nosuch', 'URL'], 'holdfast curl does not accept --nosuch.'],
    [['-k', 'URL'], '-k is refused: anyone along the way could read the token. Use --cacert.'],
    [
      ['-sS', '--profile', 'default', 'URL'],
      "--profile is an option of holdfast: put it before curl's options.",
    ],
    [
      ['-s', '--client-id=app', 'URL'],
      "--client-id is an option of holdfast: put it before curl's options.",
    ],
  ])('%j, and says what to do', async (args, sentence) => {
    const { stderr } = await run(args.map((arg) => arg.replace('URL', url())));
    expect(stderr).toBe(`holdfast: ${sentence}\n`);
  });
});

describe('the answer of curl', () => {
  it.each([
    ['plain', 'HTTP/1.1 401 No\r\nDPoP-Nonce: n\r\n\r\n'],
    ['with line feeds alone', 'HTTP/1.1 401 No\nDPoP-Nonce: n\n\n'],
    ['behind interim ones', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/2 401 \r\ndpop-nonce: n\r\n\r\n'],
    ['with a bare CR in a field', 'HTTP/1.1 401 No\r\nX: a\rb\r\nDPoP-Nonce: n\r\n\r\n'],
    ['with a bare CR in the status line', 'HTTP/1.1 401 N\ro\r\nDPoP-Nonce: n\r\n\r\n'],
    ['with two CR at the end', 'HTTP/1.1 401 No\r\nDPoP-Nonce: n\r\r\n\r\r\n'],
  ])('is understood %s', (_case, dump) => {
    const answer = answerIn(dump);
    expect([answer?.status, answer?.headers.get('dpop-nonce')]).toEqual([401, 'n']);
  });

  it.each(['', 'HTTP/1.1 401 No\r\nDPoP-Nonce: n\r\n', 'HTTP/1.1 100 Continue\r\n\r\n'])(
    'is not there yet: %j',
    (dump) => expect(answerIn(dump)).toBeUndefined(),
  );
});

describe('the talk of curl', () => {
  it.each([1, 2, 7, 64, 4096])('is redacted in pieces of %i bytes', async (size) => {
    const token = `eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.${'x'.repeat(200)}.sig+/_-~=`;
    const text = `a\r> authorization: DPoP ${token}\r\n* [${token.slice(0, 90)}\n\xff ${token}`;
    const talk = redacted([token]);
    const read = talk.toArray();
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at += size) talk.write(bytes.subarray(at, at + size));
    talk.end();
    expect(Buffer.concat(await read).toString('latin1')).toBe(
      'a\r> authorization: DPoP [redacted]\r\n* [[redacted]\n\xff [redacted]',
    );
  });
});

describe('a line that curl does not end', () => {
  it('is neither held nor shown, and the next one is', async () => {
    const token = `eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.${'x'.repeat(200)}`;
    const talk = redacted([token]);
    const read = talk.toArray();
    talk.write('before\n');
    const part = Buffer.alloc(64 * 1024, 'y');
    for (let sent = 0; sent < 32; sent++) {
      talk.write(part);
      talk.write(token);
    }
    talk.end('\nafter\n');
    const text = Buffer.concat(await read).toString();
    expect(text).toBe('before\n[a line that is too long]\nafter\n');
  });
});

function processArguments(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    })
    .join('\n');
}
