/**
 * What a transcoder asks of the control plane. On one machine the functions' handlers stand behind it in process, in
 * the cloud Lambda does.
 */
import type { AuthorizePublishReply, AuthorizePublishRequest } from '../contracts/publish.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatReply,
  HeartbeatRequest,
  ReleaseReply,
  ReleaseRequest,
} from '../contracts/registry.ts';

/** Every method rejects when the control plane cannot be reached in time. */
export interface Control {
  authorizePublish(request: AuthorizePublishRequest, signal?: AbortSignal): Promise<AuthorizePublishReply>;
  claim(request: ClaimRequest): Promise<ClaimReply>;
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply>;
  release(request: ReleaseRequest): Promise<ReleaseReply>;
}
