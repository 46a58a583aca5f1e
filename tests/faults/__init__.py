"""What must hold whatever crashes."""
