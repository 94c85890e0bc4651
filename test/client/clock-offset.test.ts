import { expect, it } from 'vitest';
import { clockOffsets } from '../../packages/client/src/clock-offset.ts';

const now = Date.UTC(2026, 10, 24, 9, 0, 0);
const url = new URL('https://api.example.com/reports');
const dated = (milliseconds: number, more: object = {}) =>
  new Headers({ date: new Date(milliseconds).toUTCString(), ...more });

it.each([
  { what: 'an hour ahead', headers: dated(now + 3_600_000), noticed: true, ahead: 3600 },
  { what: 'an hour behind', headers: dated(now - 3_600_000), noticed: true, ahead: -3600 },
  { what: 'three seconds ahead', headers: dated(now + 3000), noticed: false, ahead: 0 },
  { what: 'no date', headers: new Headers(), noticed: false, ahead: 0 },
  { what: 'no date at all', headers: new Headers({ date: 'noon' }), noticed: false, ahead: 0 },
  {
    what: 'an answer out of a cache',
    headers: dated(now - 3_600_000, { age: '3600' }),
    noticed: false,
    ahead: 0,
  },
])('a Date field (RFC 9110 §6.6.1) with $what', ({ headers, noticed, ahead }) => {
  const offsets = clockOffsets(() => now);
  expect(offsets.see(url, headers, now)).toBe(noticed);
  expect(Math.abs(offsets.seconds(url) - now / 1000 - ahead)).toBeLessThanOrEqual(1);
  expect(offsets.seconds(new URL('https://other.example.com'))).toBe(now / 1000);
});

it('a clock that was set right is believed again, and noticed once', () => {
  const offsets = clockOffsets(() => now);
  const wrong = dated(now + 3_600_000);
  expect([offsets.see(url, wrong, now), offsets.see(url, wrong, now)]).toEqual([true, false]);
  expect(offsets.see(url, dated(now), now)).toBe(true);
  expect(offsets.seconds(url)).toBe(now / 1000);
});

it('a hundred origins are remembered, strangers do not fill the memory', () => {
  const offsets = clockOffsets(() => now);
  const origin = (index: number) => new URL(`https://api-${index}.example.com`);
  for (let index = 0; index < 150; index++) offsets.see(origin(index), dated(now + 3_600_000), now);
  const known = Array.from({ length: 150 }, (_, index) => offsets.seconds(origin(index)));
  expect(known.filter((seconds) => seconds > now / 1000).length).toBe(100);
  expect(known[149]).toBeGreaterThan(now / 1000);
});
