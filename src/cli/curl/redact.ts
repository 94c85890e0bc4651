import { Transform } from 'node:stream';

/** Maximum bytes of an unfinished line; curl takes no header field of more than 100 KB. */
const longestLine = 256 * 1024;

/**
 * Removes these secrets from lines, recognized by their start, since curl cuts long lines. Only
 * whole lines are passed on, so that no secret spans two chunks; too long ones are dropped.
 */
export function redacted(secrets: readonly string[]): Transform {
  const starts = secrets.map((secret) => secret.slice(0, 24).replace(/\W/g, '\\$&'));
  const pattern = new RegExp(`(?:${starts.join('|')})[\\w.~+/=-]*`, 'g');
  // Latin-1 preserves every byte.
  const clean = (text: string) => Buffer.from(text.replace(pattern, '[redacted]'), 'latin1');
  let rest = '';
  let skips = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let text = rest + chunk.toString('latin1');
      // A progress meter ends its lines with a carriage return.
      if (skips) {
        const next = text.search(/[\r\n]/);
        if (next < 0) return done();
        text = text.slice(next);
        skips = false;
      }
      const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;
      rest = text.slice(end);
      const lines = clean(text.slice(0, end));
      if (rest.length <= longestLine) return done(null, lines);
      skips = true;
      rest = '';
      done(null, Buffer.concat([lines, Buffer.from('[a line that is too long]')]));
    },
    flush(done) {
      done(null, clean(rest));
    },
  });
}
