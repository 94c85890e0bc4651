// `node idle-connections.ts PORT COUNT`, forked by a test: holds so many connections, each idle after an answered request. A process of its own, for both ends
// of a connection count against the limit of open files. Says `{ answered }` when every request was answered, and ends with its parent.
import { once } from 'node:events';
import { connect } from 'node:net';

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
let answered = 0;
process.on('disconnect', () => process.exit());
// A hundred at a time, as many as wait for a listener without loss.
for (let first = 0; first < count; first += 100) {
  await Promise.all(
    Array.from({ length: Math.min(100, count - first) }, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write('GET /health/live HTTP/1.1\r\nHost: as.example.com\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      if (answer.toString().startsWith('HTTP/1.1 200 ')) answered++;
    }),
  );
}
process.send?.({ answered });
