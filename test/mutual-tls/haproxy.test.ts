import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adapted,
  blocksOf,
  bySecret,
  type FrontDoor,
  openFrontDoor,
  type Place,
  proxyAddress,
} from '../support/front-door.ts';
import { frontDoorRules, selfSignedRules } from '../support/front-door-rules.ts';
import { needs } from '../support/left-out.ts';

const absent = !needs.haproxy.isHere();
const [block = '', bindForSelfSigned = ''] = blocksOf('haproxy.md', 'haproxy');
const bind = /^ *bind .*\n/m.exec(block)?.[0] ?? '';

/** HAProxy with the page's lines, which are all that says what it does with certificates. */
const haproxy =
  (lines: string) =>
  ({ file, port, upstream, own, ca }: Place): readonly [string, ...string[]] => {
    const here = adapted(lines, [
      ['bind :443 ssl', `bind 127.0.0.1:${port} ssl`],
      ['/etc/haproxy/tls.pem', file('tls.pem', own.pem + own.keyPem)],
      ['/etc/haproxy/clients-ca.crt', file('clients-ca.crt', ca.pem)],
      ['holdfast:8080', `${upstream} source ${proxyAddress}`],
    ]);
    return ['haproxy', '-db', '-f', file('haproxy.cfg', `global\n  maxconn 100\n${here}`)];
  };

describe.skipIf(absent)('RFC 8705 behind a real HAProxy, configured as its page says', () => {
  let door: FrontDoor;
  beforeAll(async () => {
    door = await openFrontDoor({ form: 'haproxy', command: haproxy(block) });
  });
  afterAll(async () => door.close());
  frontDoorRules(() => door);
  it('a certificate whose chain does not hold ends the handshake', async () => {
    const { selfSigned } = door.certificates;
    await expect(door.answer({ by: selfSigned, form: { client_id: 'pki' } })).rejects.toThrow(
      /alert|ECONNRESET|hang up/,
    );
    await expect(door.answer({ by: selfSigned, headers: bySecret })).rejects.toThrow(
      /alert|ECONNRESET|hang up/,
    );
  });
});

describe.skipIf(absent)(
  'RFC 8705 behind a real HAProxy that lets self-signed certificates in, as its page says',
  () => {
    let door: FrontDoor;
    beforeAll(async () => {
      door = await openFrontDoor({
        form: 'haproxy',
        command: haproxy(block.replace(bind, bindForSelfSigned)),
      });
    });
    afterAll(async () => door.close());
    frontDoorRules(() => door);
    selfSignedRules(() => door);
  },
);
