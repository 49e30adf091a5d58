export { ControlRoomPage } from "./control-room/control-room-page";
export { StudioPage } from "./studio-page";
