import type { IncomingMessage } from 'node:http';

/** Every value of a header field in order; Node's `headers` joins or drops repeated ones. */
export function headerFields(
  { headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  name: string,
): readonly string[] {
  if (headers[name] === undefined) return [];
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const field = rawHeaders[index];
    if (field?.length === name.length && field.toLowerCase() === name)
      values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}
