export function ShowPage() { return <h1>Room</h1>; }
