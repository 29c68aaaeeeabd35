import { expect, test } from 'vitest';
import { PeerList } from './peer_list.ts';

const PEERS = ['a', 'b', 'c'].map((serverId) => ({ serverId, ingest: `${serverId}:1935`, streams: 0 }));

test('publishers that come at the same moment go to different peers', () => {
  const list = new PeerList();
  list.update(PEERS);
  const best = Array.from({ length: 4 }, () => list.take()[0]);
  expect(best).toEqual(['a:1935', 'b:1935', 'c:1935', 'a:1935']);
  expect(list.take()).toEqual(['b:1935', 'c:1935', 'a:1935']);
});

test('a new answer of the registry counts for more than what was sent before it', () => {
  const list = new PeerList();
  list.update(PEERS);
  list.take();
  list.update(PEERS.slice(0, 2));
  expect(list.take()).toEqual(['a:1935', 'b:1935']);
  list.update([]);
  expect(list.take()).toEqual([]);
});
