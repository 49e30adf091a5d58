import { useParams } from "@tanstack/react-router";

export function StudioPage() { return <h1>Studio</h1>; }
export function ControlRoomPage() { const { id } = useParams({ strict: false }); return <h1>Control room {id}</h1>; }
