import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Trust anchors of a listener, which can be replaced while connections are open. */
export interface AnchorsInForce {
  /** A connection has come, whose handshake begins with the present anchors. */
  began(connection: Socket): void;
  /** Its handshake is done. */
  done(connection: TLSSocket): void;
  /** Puts others in force; whether they are others. */
  replace(anchors: string | Buffer | readonly string[]): boolean;
}

/**
 * By which anchors the client of a connection was judged: `current` as long as those are in force.
 */
const judgements = new WeakMap<Socket, { current: boolean }>();

/** Begins with these anchors, PEM. */
export function anchorsInForce(first: string | Buffer | readonly string[]): AnchorsInForce {
  let anchors = String(first);
  let judgement = { current: true };
  /** By both ends, for Node does not say which connection is below which. */
  const handshakes = new Map<string, typeof judgement>();
  return {
    began(connection) {
      const ends = endsOf(connection);
      handshakes.set(ends, judgement);
      connection.once('close', () => handshakes.delete(ends));
    },
    done(connection) {
      const by = handshakes.get(endsOf(connection));
      if (by !== undefined) judgements.set(connection, by);
    },
    replace(others) {
      if (String(others) === anchors) return false;
      anchors = String(others);
      judgement.current = false;
      judgement = { current: true };
      return true;
    },
  };
}

/** Whether the anchors have been replaced since the handshake of this connection. */
export function judgedByOldAnchors(connection: Socket): boolean {
  return judgements.get(connection)?.current === false;
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join();
}

/**
 * Whether the client's certificate leads to an anchor that is still in force. OpenSSL judges in the
 * handshake only, and a connection lives for as long as its client wants: one that was judged by
 * anchors since replaced counts as unverified, and is closed after its answer.
 */
export function chainHolds(connection: TLSSocket): boolean {
  return connection.authorized && judgements.get(connection)?.current === true;
}
