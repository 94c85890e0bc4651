// An app and its server share a token and no key. Run: npm run -s paired-app
import { randomBytes } from 'node:crypto';
import { registerEverybody, startAuthorizationServer } from './authorization-server.ts';
import { exchange, startBackend } from './backend.ts';
import { generateKey, type OwnKey } from './key.ts';
import { startResourceServer } from './resource-server.ts';

const secret = randomBytes(32).toString('base64url');
const [appKey, backendKey, thiefKey] = [
  await generateKey(),
  await generateKey(),
  await generateKey(),
];
const as = await startAuthorizationServer();
const calendar = await startResourceServer(as.issuer, 'calendar-api', secret, true);
const archive = await startResourceServer(as.issuer, 'archive-api', secret, false);
const pairing = await registerEverybody(
  as,
  { calendar: calendar.url, archive: archive.url },
  secret,
  backendKey.jwk,
);
const session = randomBytes(32).toString('base64url');
const backend = await startBackend(as.issuer, calendar.url, backendKey, session);

let unexpected = 0;
interface Said {
  readonly error?: string;
  readonly presented_by?: string;
  readonly access_token?: string;
  readonly alt_cnf?: object;
}
async function say(who: string, response: Response, expected: number): Promise<Said> {
  const body = (await response.json()) as Said;
  if (response.status !== expected) unexpected++;
  const result =
    body.presented_by === undefined
      ? (body.error ?? 'a token')
      : `presented by ${body.presented_by}`;
  console.log(
    `${response.status === expected ? ' ' : '!'} ${who.padEnd(66)} ${response.status} ${result}`,
  );
  return body;
}
const requestToken = async (client: string, key: OwnKey, form: Record<string, string>) =>
  fetch(`${as.issuer}/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${client}:${secret}`)}`,
      dpop: await key.dpop('POST', `${as.issuer}/token`),
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
  });
const askToSign = async (jkt: string, cookie: string) =>
  fetch(`${backend.url}/pair`, {
    method: 'POST',
    headers: { cookie },
    body: JSON.stringify({ jkt }),
  });
const pair = async (jkt: string) => {
  const { proof } = (await (await askToSign(jkt, `session=${session}`)).json()) as {
    proof: string;
  };
  return JSON.stringify([{ proof }]);
};
const call = async (url: string, token: string, key: OwnKey, proof?: string) =>
  fetch(`${url}/events`, {
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof ?? (await key.dpop('GET', `${url}/events`, token)),
    },
  });

try {
  console.log('\nOne token, two keys');
  const issued = await say(
    'the app asks, with a consent that its server signed',
    await requestToken('cal-app', appKey, {
      resource: calendar.url,
      req_alt_cnf: await pair(appKey.jkt),
    }),
    200,
  );
  const token = issued.access_token ?? '';
  console.log(`  cnf names the app's key, alt_cnf ${JSON.stringify(issued.alt_cnf)}`);
  const seenProof = await appKey.dpop('GET', `${calendar.url}/events`, token);
  await say(
    'the app calls the calendar with its key',
    await call(calendar.url, token, appKey, seenProof),
    200,
  );
  await say(
    'its server calls the calendar with the same token and its own key',
    await call(calendar.url, token, backendKey),
    200,
  );

  console.log('\nA thief has the token');
  await say(
    'the token as a bearer token',
    await fetch(`${calendar.url}/events`, { headers: { authorization: `Bearer ${token}` } }),
    401,
  );
  await say('the token with a key of the thief', await call(calendar.url, token, thiefKey), 401);
  await say(
    'the token with a proof of the app, seen on the wire',
    await call(calendar.url, token, thiefKey, seenProof),
    401,
  );

  console.log("\nA thief wants the server's consent");
  await say(
    'it asks the server to sign for a key of its own',
    await askToSign(thiefKey.jkt, ''),
    401,
  );

  console.log("\nA thief has the server's consent to the app's key");
  const stolen = { resource: calendar.url, req_alt_cnf: await pair(appKey.jkt) };
  await say(
    'it asks for a token with a key of its own',
    await requestToken('thief', thiefKey, stolen),
    400,
  );
  await say(
    'it even is the app, but has not its key',
    await requestToken('cal-app', thiefKey, stolen),
    400,
  );

  console.log('\nA resource server that does not know alt_cnf: one token for each');
  await say(
    'both keys in a token for the archive',
    await requestToken('cal-app', appKey, {
      resource: archive.url,
      req_alt_cnf: await pair(appKey.jkt),
    }),
    400,
  );
  const own =
    (
      await say(
        'the app asks for a token of its own',
        await requestToken('cal-app', appKey, { resource: archive.url }),
        200,
      )
    ).access_token ?? '';
  const exchanged = await say(
    'its server exchanges that for one bound to its own key',
    await exchange(as.issuer, backendKey, own),
    200,
  );
  await say(
    'the server calls the archive',
    await call(archive.url, exchanged.access_token ?? '', backendKey),
    200,
  );

  console.log('\nThe operator ends the pairing');
  await as.admin('DELETE', `pairings/${pairing}`);
  await say('the server with the token', await call(calendar.url, token, backendKey), 401);
  await say('the app with the token', await call(calendar.url, token, appKey), 200);
} finally {
  for (const part of [calendar, archive, backend]) part.close();
  await as.stop();
}
if (unexpected > 0) {
  console.error(`\n${unexpected} answers were not as expected.`);
  process.exitCode = 1;
}
