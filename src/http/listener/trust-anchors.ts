import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Trust anchors of a listener, which can be replaced while connections are open. */
export interface AnchorsInForce {
  /** Registers a new connection, whose handshake uses the current anchors. */
  began(connection: Socket): void;
  /** Registers that its handshake is complete. */
  done(connection: TLSSocket): void;
  /** Replaces the anchors and returns whether they differ. */
  replace(anchors: string | Buffer | readonly string[]): boolean;
}

/** The anchors that verified the client of a connection; `current` while those are in force. */
const judgements = new WeakMap<Socket, { current: boolean }>();

/** Starts with these PEM anchors. */
export function anchorsInForce(first: string | Buffer | readonly string[]): AnchorsInForce {
  let anchors = String(first);
  let judgement = { current: true };
  /** Keyed by both ends, because Node does not say which socket carries which TLS connection. */
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
 * Whether the client's certificate leads to an anchor that is still in force. OpenSSL checks only
 * in the handshake, and clients keep connections open, so a connection that was verified with
 * replaced anchors counts as unverified and is closed after its answer.
 */
export function chainHolds(connection: TLSSocket): boolean {
  return connection.authorized && judgements.get(connection)?.current === true;
}
