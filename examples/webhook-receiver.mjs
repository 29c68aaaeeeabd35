/**
 * Receives Headwater's events, checks that they are genuine, and prints them in order. Needs `npm install
 * standardwebhooks`. Start: WEBHOOK_SECRET=whsec_… PORT=4000 node webhook-receiver.mjs
 */
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const seen = new Set();

async function receive(request, response) {
  const body = Buffer.concat(await request.toArray()).toString('utf8');
  try {
    const event = webhook.verify(body, request.headers);
    if (!seen.has(event.id)) console.log(event.type, event.streamId, event.sequence ?? '-', JSON.stringify(event.data));
    seen.add(event.id);
    response.writeHead(204).end();
  } catch {
    response.writeHead(401).end();
  }
}

const server = createServer((request, response) => void receive(request, response));
server.listen(Number(process.env.PORT ?? 4000), '127.0.0.1', () => console.log('listening on', server.address().port));
